package config

import (
	"fmt"
	"slices"
)

// pending names the directives whose feature this version does not have yet. They are accepted and reported as usual,
// but documented as such, and named in the log at start. Whoever builds the feature takes its names away here; a test
// holds the list against the code.
var pending = []string{
	"bind-source-addr", "tls-port", "tls-cert-file", "tls-key-file", "tls-key-file-pass", "tls-client-cert-file",
	"tls-client-key-file", "tls-client-key-file-pass", "tls-ca-cert-file", "tls-ca-cert-dir", "tls-auth-clients",
	"tls-replication", "tls-protocols", "tls-ciphers", "tls-session-caching",
	"dynamic-hz", "activerehashing", "shutdown-timeout", "shutdown-on-sigint", "shutdown-on-sigterm",
	"repl-ping-replica-period", "repl-backlog-ttl", "repl-disable-tcp-nodelay", "repl-diskless-sync",
	"repl-diskless-sync-delay", "repl-diskless-sync-max-replicas", "min-replicas-to-write", "min-replicas-max-lag",
	"propagation-error-behavior",
	"tracking-table-max-keys",
	"busy-reply-threshold",
	"save", "dbfilename", "rdbcompression", "rdbchecksum",
}

// guarded are the pending directives that protect data. Ignoring them would serve it more openly than the operator
// asked for, so anything but their default is refused.
var guarded = []string{"tls-port", "tls-replication"}

func markPending(r *Registry) {
	left := len(pending)
	for _, d := range r.rows {
		if !slices.Contains(pending, d.Name) {
			continue
		}
		left--
		d.Flags |= Pending
		if slices.Contains(guarded, d.Name) {
			checked(d, func() error {
				if !d.isDefault() {
					return Refuse("%s is not supported by this version, which would leave its protection out", d.Name)
				}
				return nil
			})
		}
	}
	if left != 0 {
		panic(fmt.Sprintf("config: %d pending directives do not exist", left))
	}
}
