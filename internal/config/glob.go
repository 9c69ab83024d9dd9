package config

// globMatch matches s against a glob with Redis's rules: * ? [abc] [^a-c] and \ before a literal. It is the small
// form for directive names; both sides are lower case. On a mismatch only the last star takes one more byte, which is
// enough for globs and bounds the work by len(pattern) * len(s) whatever a client sends.
func globMatch(pattern, s string) bool {
	var starPattern, starText string
	star := false
	for pattern != "" || s != "" {
		if pattern != "" && pattern[0] == '*' {
			pattern = pattern[1:]
			star, starPattern, starText = true, pattern, s
			continue
		}
		if pattern != "" && s != "" {
			if ok, rest := globOne(pattern, s[0]); ok {
				pattern, s = rest, s[1:]
				continue
			}
		}
		if !star || starText == "" {
			return false
		}
		starText = starText[1:]
		pattern, s = starPattern, starText
	}
	return true
}

// globOne matches one byte against the element that pattern starts with and returns the pattern behind it.
func globOne(pattern string, c byte) (ok bool, rest string) {
	switch {
	case pattern[0] == '?':
		return true, pattern[1:]
	case pattern[0] == '[':
		return globClass(pattern[1:], c)
	case pattern[0] == '\\' && len(pattern) > 1:
		pattern = pattern[1:]
	}
	return pattern[0] == c, pattern[1:]
}

// globClass matches c against the class whose text follows the bracket; rest is the pattern behind it. A class that
// is not closed ends with the pattern.
func globClass(p string, c byte) (in bool, rest string) {
	not := p != "" && p[0] == '^'
	if not {
		p = p[1:]
	}
	for p != "" && p[0] != ']' {
		switch {
		case p[0] == '\\' && len(p) >= 2:
			in = in || p[1] == c
			p = p[2:]
		case len(p) >= 3 && p[1] == '-':
			lo, hi := min(p[0], p[2]), max(p[0], p[2])
			in = in || c >= lo && c <= hi
			p = p[3:]
		default:
			in = in || p[0] == c
			p = p[1:]
		}
	}
	if p != "" {
		p = p[1:]
	}
	return in != not, p
}
