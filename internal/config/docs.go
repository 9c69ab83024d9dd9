package config

import (
	"fmt"
	"strings"
)

// Markdown is docs/configuration.md, made from the rows.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Made from the rows of internal/config by "go generate ./internal/config"; change it there. -->

The server reads redis.conf files and redis-server's command line:

`)
	b.WriteString("```\nredis-inmemory-replica [FILE] [-] [--directive value ...]\n```\n")
	b.WriteString(`
- A file has one directive a line, with its arguments behind it. Blank lines and lines that start with ` + "`#`" + ` are skipped.
  Arguments with blanks stand in "double quotes", which know ` + "`\\n \\r \\t \\b \\a \\xHH \\\\ \\\"`" + `, or in 'single quotes'.
- ` + "`include FILE`" + ` reads another file in that place; it may be a glob. Relative names start at ` + "`dir`" + `.
- On the command line ` + "`--port 6380`" + ` stands for the line ` + "`port 6380`" + `. A first or last ` + "`-`" + ` reads more lines from standard input.
- Later values win: file, environment, standard input, command line. ` + "`save`" + ` lines of one start add up.
- An unknown directive or a bad value stops the start with the file, the line and the reason.
- Memory takes the units k (1000), kb (1024), m, mb, g and gb.

CONFIG GET and CONFIG SET reach the same directives by the same names and, for older tools, by their older names. CONFIG
REWRITE brings the file up to date and keeps its comments.

## Other lines of a file

| line | meaning |
| --- | --- |
| ` + "`include FILE`" + ` | read another file here |
| ` + "`user NAME RULE ...`" + ` | define an ACL user |
| ` + "`rename-command NAME NEWNAME`" + ` | rename a command, or remove it with the new name ` + "`\"\"`" + ` |
| ` + "`loadmodule FILE ...`" + ` | accepted without effect: this server loads no modules |

## Secrets

Passwords need not stand in a file or on the command line, where others can read them. These environment variables win over
the file and lose to the command line; CONFIG REWRITE does not write them, and no log or error message shows them.

| variable | directive |
| --- | --- |
`)
	rows := New().Directives()
	for _, d := range rows {
		if d.Env != "" {
			fmt.Fprintf(&b, "| `%s` | %s |\n", d.Env, d.Name)
		}
	}
	b.WriteString(`
## Directives

Marks: **ours**, not a directive of Redis; **start**, taken from the file or the command line only; **protected**, set at run
time only with ` + "`enable-protected-configs`" + `; **secret**, never shown in logs; **no effect**, accepted, checked and reported as
Redis does, without a meaning in this server; **not yet**, the same until this server has the feature (those of both kinds
that have another value than their default are named in the log at start).
`)
	section := ""
	for _, d := range rows {
		if d.is(Hidden) {
			continue
		}
		if d.Section != section {
			section = d.Section
			fmt.Fprintf(&b, "\n### %s\n\n| directive | value | default | marks | meaning |\n| --- | --- | --- | --- | --- |\n", section)
		}
		name := "`" + d.Name + "`"
		if d.Alias != "" {
			name += " (`" + d.Alias + "`)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, d.value(), defaultText(d.Default), d.marks(), cell(d.Doc))
	}
	return b.String()
}

// value describes what can stand behind the directive.
func (d *Directive) value() string {
	text := d.Kind.String()
	switch {
	case d.Kind == Bool:
		return "yes or no"
	case d.Kind == Special:
		text = d.Range
	case strings.Contains(d.Range, "9223372036854775807"), strings.Contains(d.Range, "18446744073709551615"), strings.Contains(d.Range, "2147483647"):
		// A limit of the machine word is no news.
		text += ", from " + strings.SplitN(d.Range, " ", 2)[0]
	case d.Range != "":
		text += ": " + d.Range
	}
	return cell(text)
}

func defaultText(s string) string {
	if s == "" {
		return "empty"
	}
	return "`" + cell(s) + "`"
}

func (d *Directive) marks() string {
	var m []string
	for _, f := range []struct {
		flag Flags
		name string
	}{{Own, "ours"}, {Immutable, "start"}, {Protected, "protected"}, {Sensitive, "secret"}, {NoEffect, "no effect"}, {Pending, "not yet"}} {
		if d.is(f.flag) {
			m = append(m, f.name)
		}
	}
	return strings.Join(m, ", ")
}

// cell escapes what would end a table's cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// Usage is the text of --help for the program's name.
func Usage(program string) string {
	return strings.ReplaceAll(`Usage: PROGRAM [FILE] [-] [--directive value ...]

Follows a Redis or Valkey master, keeps its data in memory and serves it to clients. Without a master it is a writable
server on its own.

  FILE                  read this redis.conf file first
  -                     as the first or last argument: read more directives from standard input
  --directive value     set a directive of redis.conf, after the file and standard input
  --demo                as the first argument: start a master with a live workload too, and follow it
  --probe [URL]         as the first argument: end with 0 if a server's page answers 200 (http://127.0.0.1:9121/healthz)
  -h, --help            show this text
  -v, --version         show the version

Examples:
  PROGRAM --port 6380 --replicaof 127.0.0.1 6379
  PROGRAM /etc/redis/replica.conf --loglevel verbose
  echo "maxclients 500" | PROGRAM -

Passwords are best given by the environment: REDIS_REPLICA_MASTERAUTH, REDIS_REPLICA_MASTERUSER, REDIS_REPLICA_REQUIREPASS.
All directives are described in docs/configuration.md.
`, "PROGRAM", program)
}

// Version is the text of --version; build may be empty.
func Version(program, version, build string) string {
	s := program + " " + version + ", speaks the protocol of Redis " + RedisVersion
	if build != "" {
		s += ", build " + build
	}
	return s
}

// RedisVersion is the version of Redis whose directives, commands and replies this server has.
const RedisVersion = "7.0.15"
