package config

import (
	"strconv"
	"strings"
)

func operationsRows(r *Registry, v *Values) {
	r.section("Operations")
	r.text("metrics-addr", &v.MetricsAddr, "", checkListenAddr, "Address, such as 127.0.0.1:9121, of an HTTP server for operators: metrics for Prometheus at /metrics, /healthz, /readyz and a status page; empty opens none. See docs/operations.md.").with(Immutable | Own).by("redisreplica")
	enum(r, "status-page", &v.StatusPage, permissions, PermitLocal, "Who gets the status page at / of metrics-addr, which shows clients and the slow log: nobody, everybody, or browsers on this machine.").with(Own).by("internal/httpapi")
	enum(r, "metrics-pprof", &v.MetricsPprof, permissions, PermitNo, "Who gets Go's profiles at /debug/pprof/ of metrics-addr.").with(Own).by("internal/httpapi")
	integer(r, "ready-max-lag-ms", &v.ReadyMaxLag, signed(0, maxInt), 30000, "Milliseconds since the data was last known to be the master's, after which /readyz says no; 0 for never. A master that has nothing to say is heard of every repl-ping-replica-period, unless replica-lag-probe asks more often.").with(Own).by("internal/httpapi")
	memory(r, "ready-max-lag-bytes", &v.ReadyMaxLagBytes, signed(0, maxLong), 0, "Bytes of the master's stream that are not applied, beyond which /readyz says no; 0 for no limit.").with(Own).by("internal/httpapi")
}

// checkListenAddr checks a host:port to listen on.
func checkListenAddr(s string) error {
	if s == "" {
		return nil
	}
	colon := strings.LastIndexByte(s, ':')
	if _, err := strconv.ParseUint(s[colon+1:], 10, 16); colon < 0 || err != nil {
		return replyText("must be an address to listen on, such as 127.0.0.1:9121")
	}
	return nil
}
