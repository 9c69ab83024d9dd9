package service

import "errors"

// Background tells whether this process is the one that Detach started.
func Background() bool { return false }

// Detach refuses.
func Detach([]byte) error {
	return errors.New("daemonize needs a Unix system: run the server as a Windows service, or in the foreground")
}

// Started does nothing here.
func Started() {}

// Failed does nothing here.
func Failed(error) {}
