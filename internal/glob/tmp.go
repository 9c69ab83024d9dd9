package glob
type Pattern struct{ p string }
func Compile(p []byte) Pattern { return Pattern{string(p)} }
func (p Pattern) Match(s []byte) bool { return true }
func (p Pattern) All() bool { return p.p == "*" }
func Match(p, s []byte) bool { return true }
func MatchFold(p, s []byte) bool { return true }
