package commands

// Cluster mode does not exist here: what asks for it is refused in redis-server's words. What drivers send to a replica
// all the same, READONLY and READWRITE, stands in connection.go; CLIENT CAPA redirect is the replica's way to send a client to
// the master.

const errNoCluster = "This instance has cluster support disabled"

func clusterCommand(c *Client) { c.addReplyError(errNoCluster) }

func askingCommand(c *Client) { c.addReplyError(errNoCluster) }

// clientCapaCommand serves CLIENT CAPA of Valkey 8: what the client is able to handle. Capabilities that the server does not
// know are passed over.
func clientCapaCommand(c *Client) {
	for _, a := range c.args[2:] {
		if equalFold(a, "redirect") {
			c.flags |= flagCapaRedirect
		}
	}
	c.addReplyOK()
}

// redirectGate answers a client that asked to be sent to the master, on a replica: for every write, and for reads unless it has
// said READONLY. True if it did.
func (s *Server) redirectGate(c *Client, flags Flags) bool {
	if c.flags&flagCapaRedirect == 0 || !s.following || c.isMaster() || s.redirecting(c) {
		return false
	}
	if flags&(CmdWrite|CmdMayReplicate) == 0 && (flags&CmdReadonly == 0 || c.flags&flagReadOnly != 0) {
		return false
	}
	l := s.Host.Replication()
	return !s.refuse(c, "-REDIRECT "+l.Host+":"+itoa(int64(l.Port)))
}

// Modules are shared objects written in C against redis-server's internals. None can be loaded here.

func moduleListCommand(c *Client) { c.addReplyArrayLen(0) }

func moduleLoadCommand(c *Client) {
	c.srv.Host.Logf(LogWarning, "Module %s failed to load: modules are not supported", c.args[2])
	c.addReplyError("Error loading the extension. Please check the server logs.")
}

func moduleUnloadCommand(c *Client) {
	c.addReplyError("Error unloading module: no such module with that name")
}

func moduleHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"LIST", "    Answer the modules that are loaded: none.",
		"LOAD <path> [<arg> ...]", "    Load a module, which fails: there is no support for them.",
		"LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]", "    Load a module with a configuration, which fails as well.",
		"UNLOAD <name>", "    Unload a module.",
	})
}
