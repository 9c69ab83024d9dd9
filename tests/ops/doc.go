// Package ops tests what operators touch, from outside: metrics, health and the status page in a real browser, readiness
// notification, running in the background, and the files of deploy/.
package ops
