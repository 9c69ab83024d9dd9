package config

import (
	"slices"
	"strings"
)

// What a replica does here and not in Redis: filters, redirection of writes, freshness.

func partialReplicaRows(r *Registry, v *Values) {
	r.section("Filters of a replica")
	patternsRow(r, "replica-filter-databases", &v.FilterDatabases, "number or first-last ...", "0-3",
		"Databases to replicate; a number or range with ! in front is left out. Empty for all. A change while following causes a full resync. See docs/filters.md.").by("commands")
	patternsRow(r, "replica-filter-keys", &v.FilterKeys, "pattern ...", "user:* !user:tmp:*",
		"Globs of the keys to replicate; one with ! in front leaves keys out. Empty for all. A change while following causes a full resync.").by("commands")
	patternsRow(r, "replica-filter-commands", &v.FilterCommands, "pattern or @category ...", "!publish !@scripting",
		"Globs of command names, or ACL categories, of the commands to apply; one with ! in front leaves commands out. Empty for all. A change while following causes a full resync.").by("commands")

	r.section("Write redirection")
	r.bool("write-redirection", &v.WriteRedirection, false, "Send a client's write to the master and give it the master's reply, instead of refusing it. See docs/redirection.md.").with(Own).by("internal/redirect")
	r.text("write-redirection-user", &v.RedirectUser, "", nil, "ACL user of redirected writes; with write-redirection-auth empty too, masteruser and masterauth are used.").with(Own | Sensitive).by("internal/redirect")
	r.text("write-redirection-auth", &v.RedirectAuth, "", nil, "Password of write-redirection-user.").with(Own | Sensitive).raw().by("internal/redirect")
	integer(r, "write-redirection-timeout", &v.RedirectTimeout, signed(1, maxInt), 10000, "Milliseconds to connect to the master, and to wait for its reply to a command that does not block.").with(Own).by("internal/redirect")
	r.bool("write-redirection-wait", &v.RedirectWait, false, "Give the reply to a redirected write when this replica has applied it, so that the client reads its own writes.").with(Own).by("commands")
	integer(r, "write-redirection-wait-timeout", &v.RedirectWaitTimeout, signed(1, maxInt), 1000, "Milliseconds after which the reply is given anyway.").with(Own).by("commands")

	r.section("Freshness")
	integer(r, "replica-max-staleness", &v.MaxStaleness, signed(0, maxInt), 0, "Milliseconds since the data was last known to be the master's, after which reads are refused with -STALEREPLICA; 0 for never. See docs/freshness.md.").with(Own).by("commands")
	memory(r, "replica-max-staleness-bytes", &v.MaxStalenessBytes, signed(0, maxLong), 0, "Bytes of the master's stream that are not applied, beyond which reads are refused; 0 for no limit.").with(Own).by("commands")
	integer(r, "replica-lag-probe", &v.LagProbe, signed(0, maxInt), 0, "Milliseconds between questions for the master's offset, over a connection of their own; 0 asks only when replica-max-staleness needs it.").with(Own).by("redisreplica")
}

// patternsRow is a list of patterns, some of which may have ! in front. What they mean is checked where they are used.
func patternsRow(r *Registry, name string, p *[]string, syntax, example, doc string) *Directive {
	d := &Directive{Name: name, Kind: Special, Flags: MultiArg | Own, Range: syntax + ", such as " + example, Doc: doc, snapshot: snapshotOf(p)}
	d.get = func() string {
		words := make([]string, len(*p))
		for i, w := range *p {
			words[i] = w
			if strings.ContainsAny(w, " \t\r\n\"'\\") || w == "" {
				words[i] = Quote(w)
			}
		}
		return strings.Join(words, " ")
	}
	d.isDefault = func() bool { return len(*p) == 0 }
	d.lines = func() []string {
		if d.isDefault() {
			return nil
		}
		if len(*p) == 1 && d.get() != (*p)[0] {
			return []string{Quote(d.get())} // a single argument is split once more
		}
		return []string{d.get()}
	}
	d.set = func(args []string) (bool, error) {
		if len(args) == 1 && args[0] == "" {
			args = nil
		}
		changed := !slices.Equal(*p, args)
		*p = slices.Clone(args)
		return changed, nil
	}
	return r.add(d)
}
