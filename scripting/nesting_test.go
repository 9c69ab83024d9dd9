package scripting

import (
	"strings"
	"testing"
	"time"
)

// TestNesting: texts that would exhaust the compiler's stack or time are refused before it sees them; what Lua accepts is not.
func TestNesting(t *testing.T) {
	many := func(s string) string { return strings.Repeat(s, 300000) }
	for _, src := range []string{
		many("do ") + many("end "), "return " + many("not ") + "1", "return " + many("- ") + "1", "return " + many("1^") + "1", "return " + many("1 ..") + "1",
		"return " + many("1+") + "1", "return " + many("f{") + many("}"), "return f" + many("()"), "return x" + many(".y"), "return " + many("(a)..") + "1",
		many("if x then ") + many("end "), "if x then " + many("elseif x then ") + "end", many("function f() ") + many("end "),
		many("while x do ") + many("end "), "return " + many("1 and ") + "1", "return " + many("1 == ") + "1", many("repeat ") + many("until x "),
		"return " + many("{{") + many("}}"), "return f" + many("'x'"), "return f" + many("[1]"),
	} {
		start := time.Now()
		if _, err := compile(src, "user_script"); err == nil {
			t.Errorf("%.30s… is compiled", src)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%.30s… takes %v", src, d)
		}
	}
	deep := strings.Repeat("do ", 150) + strings.Repeat("end ", 150)
	for _, src := range []string{
		deep + deep, strings.Repeat("f(a..b) g.h[1]=c..d\n", 5000), "return [==[" + many("(") + "]==]", "-- " + many("(") + "\nreturn 1",
		"--[[" + many("{") + "]] return 1", "return '" + many("[") + "'", strings.Repeat("if a then b() else c() end ", 5000),
		"return " + strings.Repeat("1+", 5000) + "1", strings.Repeat("local x = {1,2,{3}} x[1]='a' ", 100),
	} {
		if _, err := compile(src, "user_script"); err != nil {
			t.Errorf("%.30s…: %v", src, err)
		}
	}
}
