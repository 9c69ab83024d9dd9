// Package httpapi is the server for operators (metrics-addr): metrics for Prometheus, health for service managers and
// orchestrators, profiles, and a status page.
//
//	GET /             status page: one file without outside resources
//	GET /status.json  what the page shows
//	GET /metrics      Prometheus text format
//	GET /healthz      200 while the process works, whatever the master does
//	GET /readyz       200 while the data may be served: it is there, and not older than the limits
//	GET /debug/pprof/ Go's profiles, if they are permitted
//
// It runs on goroutines of its own and never touches the data: a [Source] asks the loop goroutine for figures, which come
// as values that nobody shares. A loop that does not answer is what /healthz reports.
package httpapi
