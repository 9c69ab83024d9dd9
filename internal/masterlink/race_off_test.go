//go:build !race

package masterlink

const raceEnabled = false
