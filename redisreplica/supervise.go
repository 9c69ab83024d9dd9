package redisreplica

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/service"
)

// This file tells the service manager (supervised) how the server is.

// Supervised tells whether a service manager is to be told of readiness: it is then that which keeps the
// server in the background.
func Supervised(conf *config.Registry) bool {
	switch conf.Values.Supervised {
	case config.SupervisedSystemd:
		return true
	case config.SupervisedAuto:
		return service.FromEnvironment(os.Getenv) != nil
	}
	return false
}

// supervise finds the service manager.
func (r *Replica) supervise() {
	if r.v.Supervised == config.SupervisedUpstart {
		r.log.Warningf("Supervision by upstart is not known here: nobody is told of readiness.")
	}
	if !Supervised(r.conf) {
		return
	}
	if r.manager = service.FromEnvironment(os.Getenv); r.manager == nil {
		r.log.Warningf("supervised systemd: the environment has no NOTIFY_SOCKET (Type=notify in the unit): nobody is told of readiness.")
	}
}

// watchedByManager begins to feed the manager's watchdog, with the loop's own answers, and tells of readiness unless
// there is a file to be loaded first.
func (r *Replica) watchedByManager() {
	if r.manager == nil {
		return
	}
	r.managerDone = make(chan struct{})
	if r.startup != nil {
		r.manager.Status("Loading " + r.snapshotPath())
	} else {
		r.loop.Post(r.tellReady)
	}
	if period := r.manager.Watchdog(); period > 0 {
		go r.feedWatchdog(period/2, r.managerDone)
	}
}

func (r *Replica) feedWatchdog(period time.Duration, done <-chan struct{}) {
	t := time.NewTicker(period)
	defer t.Stop()
	for {
		select {
		case <-done:
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), period)
		if (*figureSource)(r).Alive(ctx) == nil {
			r.manager.Alive()
		}
		cancel()
	}
}

// tellReady tells the manager that clients are served. It runs on the loop.
func (r *Replica) tellReady() {
	if r.manager != nil {
		r.manager.Ready(r.describeState())
	}
}

// tellState tells the manager of a change of the link. It runs on the loop.
func (r *Replica) tellState() {
	if r.manager != nil && r.startup == nil {
		r.manager.Status(r.describeState())
	}
}

// describeState is the server's state in a line.
func (r *Replica) describeState() string {
	if r.linkHost == "" {
		return "Serving; no master"
	}
	master := net.JoinHostPort(r.linkHost, strconv.Itoa(r.linkPort))
	switch s := r.linkState.State; {
	case s == masterlink.StateConnected:
		return "Serving; in step with " + master
	case s == masterlink.StateSync:
		return "Full resync from " + master
	case r.synced:
		return fmt.Sprintf("Serving what it has; no link to %s", master)
	}
	return "Waiting for a dataset of " + master
}

// leaveManager tells the manager that the server ends.
func (r *Replica) leaveManager() {
	if r.managerDone != nil {
		close(r.managerDone)
		r.manager.Stopping()
	}
}

// syslogFacility is the code of a facility that the directive numbers from local0 on, -1 being user.
func syslogFacility(n int) int {
	if n < 0 {
		return 1
	}
	return 16 + n
}
