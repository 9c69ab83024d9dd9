//go:build race

package masterlink

const raceEnabled = true
