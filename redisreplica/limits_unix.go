//go:build unix

package redisreplica

import "syscall"

// openFileLimit is how many descriptors the process may open, 0 where nobody says.
func openFileLimit() int64 {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return 0
	}
	// Its type, and its largest value, differ among systems.
	return int64(min(uint64(lim.Max), 1<<30))
}
