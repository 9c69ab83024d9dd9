// Package lint holds the rules of the house as tests: which package may import which (the floors of ARCHITECTURE.md), what
// may not stand in the packages that one goroutine owns, and what no file of the tree may contain. It has no code of its own.
package lint
