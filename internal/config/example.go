package config

import (
	"fmt"
	"strings"
)

// Example is deploy/redis.conf: a configuration to start from. Its head is what a replica usually sets; below stands every
// directive that redis-server does not have, made from the rows.
func Example() string {
	var b strings.Builder
	b.WriteString(exampleHead)
	section := ""
	for _, d := range New().Directives() {
		if !d.is(Own) || d.is(Hidden) {
			continue
		}
		if d.Section != section {
			section = d.Section
			fmt.Fprintf(&b, "\n################ %s ################\n", section)
		}
		b.WriteByte('\n')
		for _, l := range wrap(d.Doc, 98) {
			b.WriteString("# " + l + "\n")
		}
		marks := ""
		switch {
		case d.is(Immutable):
			marks = " Taken at the start only."
		case d.is(NoEffect | Pending):
			marks = " Without effect."
		}
		for _, l := range wrap("Value: "+strings.ReplaceAll(d.value(), `\|`, "|")+"."+marks, 98) {
			b.WriteString("# " + l + "\n")
		}
		fmt.Fprintf(&b, "# %s %s\n", d.Name, exampleValue(d))
	}
	return b.String()
}

// exampleValue is the default as a file spells it.
func exampleValue(d *Directive) string {
	if d.Default == "" {
		return `""`
	}
	if d.is(MultiArg) {
		return d.Default
	}
	return quoteArg(d.Default)
}

// quoteArg puts quotes around what would be more than one argument.
func quoteArg(s string) string {
	if strings.ContainsAny(s, " \"'\\") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return s
}

// wrap cuts a text into lines of at most width bytes, at blanks.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && len(line)+1+len(w) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(lines, line)
}

const exampleHead = `# redis-inmemory-replica: a configuration to start from.
#
# Made from the rows of internal/config by "go generate ./internal/config"; change it there.
# Start the server with it:   redis-inmemory-replica /etc/redis-inmemory-replica/redis.conf
#
# Every directive of redis.conf is taken; docs/configuration.md lists them all. Below the head, which a replica usually
# sets, stands each directive that redis-server does not have, with its default, behind a #.
# Secrets are best left out of here and given by the environment: REDIS_REPLICA_MASTERAUTH, REDIS_REPLICA_MASTERUSER,
# REDIS_REPLICA_REQUIREPASS.

# Where clients connect. Without a password (requirepass, ACL users) only this machine is let in.
bind 127.0.0.1 -::1
port 6380
# unixsocket /run/redis-inmemory-replica/redis.sock

# The master, and the user that it has for replicas (see SECURITY.md for its rights).
# replicaof master.example 6379
# masteruser replica
replica-read-only yes

# Where snapshots go. With replica-save-on-shutdown a restart serves from the file at once and resumes the stream.
# dir /var/lib/redis-inmemory-replica
# replica-save-on-shutdown yes

# A limit on memory. A replica obeys its master's deletions and evicts nothing itself unless told to.
# maxmemory 4gb
replica-ignore-maxmemory yes

# Readiness for systemd, when it asks for it.
supervised auto

# The log: standard output, as redis-server writes it; log-format json for machines.
loglevel notice
`
