package commands

import "github.com/raniellyferreira/redis-inmemory-replica/internal/acl"

// Commands about the connection itself.

const errWrongPass = "-WRONGPASS invalid username-password pair or user is disabled."

// authenticate checks a user and password; it does not answer. A failure is
// recorded, and takes as long whether the user exists or not.
func (c *Client) authenticate(user, pass []byte) bool {
	u := c.srv.acl.Get(string(user))
	if !u.CheckPassword(pass) {
		context := "toplevel"
		if c.flags&flagMulti != 0 {
			context = "multi"
		}
		c.srv.logDenial(c, deniedAuth, context, c.arg(0), string(user))
		return false
	}
	c.authed = true
	c.user = u
	c.applyLimits()
	return true
}

func (c *Client) applyLimits() {
	if c.reader != nil {
		c.applyReaderLimits()
	}
}

func authCommand(c *Client) {
	if len(c.args) > 3 {
		c.addReplyErrorSyntax()
		return
	}
	user, pass := []byte(acl.DefaultName), c.args[1]
	if len(c.args) == 2 {
		if c.srv.defaultUser.NoPassword() {
			c.addReplyError("AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
			return
		}
	} else {
		user, pass = c.args[1], c.args[2]
	}
	if !c.authenticate(user, pass) {
		c.addReplyError(errWrongPass)
		return
	}
	c.addReplyOK()
}

func pingCommand(c *Client) {
	if len(c.args) > 2 {
		c.addReplyErrorArity()
		return
	}
	if c.flags&flagPubSub != 0 && c.proto == 2 {
		c.addReplyArrayLen(2)
		c.addReplyBulkString("pong")
		if len(c.args) == 1 {
			c.addReplyBulk(nil)
		} else {
			c.addReplyBulk(c.args[1])
		}
		return
	}
	if len(c.args) == 1 {
		c.out = append(c.out, "+PONG\r\n"...)
		return
	}
	c.addReplyBulk(c.args[1])
}

func echoCommand(c *Client) { c.addReplyBulk(c.args[1]) }

func quitCommand(c *Client) {
	c.addReplyOK()
	c.closeAsync()
}

func helloCommand(c *Client) {
	proto := int64(0)
	next := 1
	if len(c.args) > 1 {
		var ok bool
		if proto, ok = c.longArg(1, "Protocol version is not an integer or out of range"); !ok {
			return
		}
		if proto < 2 || proto > 3 {
			c.addReplyError("-NOPROTO unsupported protocol version")
			return
		}
		next = 2
	}
	var user, pass, name []byte
	for j := next; j < len(c.args); j++ {
		left := len(c.args) - 1 - j
		switch {
		case equalFold(c.args[j], "auth") && left >= 2:
			user, pass = c.args[j+1], c.args[j+2]
			j += 2
		case equalFold(c.args[j], "setname") && left >= 1:
			name = c.args[j+1]
			if !validClientName(name) {
				c.addReplyError(errClientName)
				return
			}
			j++
		default:
			c.addReplyError("Syntax error in HELLO option '" + cText(c.args[j]) + "'")
			return
		}
	}
	if user != nil && !c.authenticate(user, pass) {
		c.addReplyError(errWrongPass)
		return
	}
	if c.srv.authRequired(c) {
		c.addReplyError("-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
		return
	}
	if name != nil {
		c.name = string(name)
	}
	if proto != 0 {
		c.proto = int(proto)
	}
	c.addReplyMapLen(7)
	c.addReplyBulkString("server")
	c.addReplyBulkString("redis")
	c.addReplyBulkString("version")
	c.addReplyBulkString(CompatVersion)
	c.addReplyBulkString("proto")
	c.addReplyLongLong(int64(c.proto))
	c.addReplyBulkString("id")
	c.addReplyLongLong(int64(c.id))
	c.addReplyBulkString("mode")
	c.addReplyBulkString("standalone")
	c.addReplyBulkString("role")
	if c.srv.Following() {
		c.addReplyBulkString("replica")
	} else {
		c.addReplyBulkString("master")
	}
	c.addReplyBulkString("modules")
	c.addReplyArrayLen(0)
}

func resetCommand(c *Client) {
	c.multi = nil
	c.unwatchAll()
	c.srv.dropSubscriptions(c)
	c.srv.dropMonitor(c)
	c.srv.disableTracking(c)
	c.flags &^= flagMulti | flagDirtyCAS | flagDirtyExec | flagReplyOff | flagReplySkip | flagReplySkipNxt |
		flagReadOnly | flagNoEvict | flagNoTouch | flagCapaRedirect
	c.selectDB(0)
	c.proto = 2
	c.name = ""
	c.user = c.srv.defaultUser
	c.authed = c.user.Open()
	c.applyLimits()
	c.addReplyStatus("RESET")
}

// CompatVersion is the version of Redis whose behaviour this server has.
const CompatVersion = "7.0.15"

const errClientName = "Client names cannot contain spaces, newlines or special characters."

// validClientName accepts printable ASCII without spaces, so that CLIENT LIST
// stays one line a client.
func validClientName(name []byte) bool {
	for _, b := range name {
		if b < '!' || b > '~' {
			return false
		}
	}
	return true
}

// readMode serves READONLY and READWRITE. Drivers that route reads to replicas
// send them; redis-server without cluster support refuses them everywhere, a
// replica here agrees: it answers reads anyway.
func (c *Client) readMode(readOnly bool) {
	if !c.srv.Following() {
		c.addReplyError("This instance has cluster support disabled")
		return
	}
	c.flags &^= flagReadOnly
	if readOnly {
		c.flags |= flagReadOnly
	}
	c.addReplyOK()
}

func readonlyCommand(c *Client)  { c.readMode(true) }
func readwriteCommand(c *Client) { c.readMode(false) }

func timeCommand(c *Client) {
	// The logical clock counts milliseconds; clients that ask for the time want
	// the microseconds too.
	us := c.srv.Host.UnixMicro()
	c.addReplyArrayLen(2)
	var tmp [24]byte
	c.addReplyBulk(appendUint(tmp[:0], uint64(us/1000000)))
	c.addReplyBulk(appendUint(tmp[:0], uint64(us%1000000)))
}

// protectedAllowed tells whether a protected command (DEBUG, MODULE) may run
// for this client.
func (s *Server) protectedAllowed(c *Client, cmd *Command) bool {
	perm := s.V.EnableDebugCommand
	if cmd.topName() == "module" {
		perm = s.V.EnableModuleCommand
	}
	return c.flags&flagInternal != 0 || perm.Allows(isLocal(c.conn))
}

func protectedText(name string) string {
	return upper([]byte(name)) + " command not allowed. If the enable-" + name + "-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."
}
