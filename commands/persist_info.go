package commands

import (
	"fmt"
	"strings"
)

// StartupLoad is the loading of the snapshot file when the server starts.
type StartupLoad struct {
	StartMilli int64 // unix ms
	Total      int64 // bytes
	// Progress tells how many bytes have been read so far.
	Progress func() int64
}

func (s *Server) infoPersistence(b *strings.Builder) {
	l := s.Host.Replication()
	p := &s.persist
	var keys, total int
	var early, cowSize int64
	if sn := s.snapshot; sn != nil && sn.walk != nil {
		keys, total, early = sn.keys, sn.walk.Keys(), sn.early
		cowSize = early
	}
	percent := 0.0
	if total > 0 {
		percent = float64(keys) * 100 / float64(total)
	}
	status, current := "ok", int64(-1)
	if p.failed {
		status = "err"
	}
	if p.file != nil {
		current = max(s.now-p.file.startedAt, 0) / 1000
	}
	head(b, "Persistence")
	line(b, "loading", b2i(s.Loading))
	line(b, "async_loading", b2i(l.SyncInProgress && !s.Loading))
	line(b, "current_cow_peak", early)
	line(b, "current_cow_size", cowSize)
	line(b, "current_cow_size_age", 0)
	line(b, "current_fork_perc", fmt.Sprintf("%.2f", percent))
	line(b, "current_save_keys_processed", keys)
	line(b, "current_save_keys_total", total)
	line(b, "rdb_changes_since_last_save", s.dirty)
	line(b, "rdb_bgsave_in_progress", b2i(s.savingNow()))
	line(b, "rdb_last_save_time", s.lastSave)
	line(b, "rdb_last_bgsave_status", status)
	line(b, "rdb_last_bgsave_time_sec", p.lastTook)
	line(b, "rdb_current_bgsave_time_sec", current)
	line(b, "rdb_saves", p.saves)
	line(b, "rdb_last_cow_size", p.lastEarly)
	line(b, "rdb_last_load_keys_expired", p.loadedExpired)
	line(b, "rdb_last_load_keys_loaded", p.loadedKeys)
	line(b, "aof_enabled", 0)
	line(b, "aof_rewrite_in_progress", 0)
	line(b, "aof_rewrite_scheduled", 0)
	line(b, "aof_last_rewrite_time_sec", -1)
	line(b, "aof_current_rewrite_time_sec", -1)
	line(b, "aof_last_bgrewrite_status", "ok")
	line(b, "aof_rewrites", 0)
	line(b, "aof_rewrites_consecutive_failures", 0)
	line(b, "aof_last_write_status", "ok")
	line(b, "aof_last_cow_size", 0)
	line(b, "module_fork_in_progress", 0)
	line(b, "module_fork_last_cow_size", 0)
	switch {
	case s.Startup != nil:
		s.infoLoading(b, s.Startup.StartMilli, s.Startup.Total, s.Startup.Progress())
	case s.Loading || l.SyncInProgress:
		s.infoLoading(b, l.SyncStartMilli, l.SyncTotalBytes, l.SyncReadBytes)
	}
}

// infoLoading is the progress of a load that began at start (unix ms) and has read
// done of total bytes; 0 or less if nobody knows how many they are.
func (s *Server) infoLoading(b *strings.Builder, start, total, done int64) {
	elapsed := max((s.now-start)/1000, 0)
	percent, eta := 0.0, int64(1)
	if total > 0 {
		percent = float64(done) * 100 / float64(total)
		if done > 0 {
			eta = elapsed * (total - done) / done
		}
	}
	line(b, "loading_start_time", start/1000)
	line(b, "loading_total_bytes", max(total, 0))
	line(b, "loading_rdb_used_mem", s.KS.UsedMemory())
	line(b, "loading_loaded_bytes", done)
	line(b, "loading_loaded_perc", fmt.Sprintf("%.2f", percent))
	line(b, "loading_eta_seconds", eta)
}
