package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
)

// The CONFIG family, over the registry of directives.

func configGetCommand(c *Client) {
	patterns := make([]string, 0, len(c.args)-2)
	for _, a := range c.args[2:] {
		patterns = append(patterns, string(a))
	}
	pairs := c.srv.Conf.Get(patterns...)
	c.addReplyMapLen(len(pairs))
	for _, p := range pairs {
		c.addReplyBulkString(p.Name)
		c.addReplyBulkString(p.Value)
	}
}

func configSetCommand(c *Client) {
	if len(c.args)%2 != 0 {
		c.addReplyErrorSyntax()
		return
	}
	pairs := make([][2]string, 0, len(c.args)/2-1)
	for i := 2; i < len(c.args); i += 2 {
		pairs = append(pairs, [2]string{c.arg(i), c.arg(i + 1)})
	}
	ctx := config.SetContext{Loading: c.srv.Loading, Local: isLocal(c.conn)}
	if err := c.srv.Conf.Set(pairs, ctx); err != nil {
		c.addReplyError("-" + err.Error())
		return
	}
	c.addReplyOK()
}

func configResetstatCommand(c *Client) {
	c.srv.ResetStats()
	c.addReplyOK()
}

func configRewriteCommand(c *Client) {
	path := c.srv.Host.Process().ConfigFile
	if path == "" {
		c.addReplyError("The server is running without a config file")
		return
	}
	if err := c.srv.Conf.Rewrite(path); err != nil {
		c.srv.Host.Logf(LogWarning, "CONFIG REWRITE failed: %v", err)
		c.addReplyError("Rewriting config file: " + err.Error())
		return
	}
	c.srv.Host.Logf(LogNotice, "CONFIG REWRITE executed with success.")
	c.addReplyOK()
}

func configHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"GET <pattern>", "    Answer the directives that match, with their values.",
		"SET <directive> <value>", "    Change directives while the server runs.",
		"RESETSTAT", "    Set the counters of INFO to zero.",
		"REWRITE", "    Write the directives in force to the configuration file.",
	})
}

// ResetStats sets the counters that INFO reports to zero.
func (s *Server) ResetStats() {
	repl := s.Stats.AppliedCommands
	s.Stats = Stats{AppliedCommands: repl}
	for i := range s.cmdStats {
		s.cmdStats[i] = cmdStat{}
	}
	clear(s.errorStats)
	s.ops = opsSampler{}
	s.aclLog.denied = [5]int64{}
	s.evicting.overTotal = 0
	s.peakMemory = s.UsedMemory()
	s.Host.ResetLoopStats()
}
