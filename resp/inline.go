package resp

// stepInline parses an inline command: a line of words. w starts at the line.
func (r *Reader) stepInline(w []byte) step {
	if r.Master && (w[0] != '\n' && w[0] != '\r' || w[0] == '\r' && len(w) > 1 && w[1] != '\n') {
		// At once, for noise may have no line end for a long time.
		r.Inline = true
		r.err = &ProtocolError{Text: "Master using the inline protocol. Desync?", Offset: r.consumed, Inline: true}
		return stepError
	}
	end, ok := r.line(w, '\n')
	if !ok {
		if end > r.maxInline() {
			return r.fail("too big inline request")
		}
		return stepMore
	}
	line := w[:end]
	if end > 0 && line[end-1] == '\r' {
		line = line[:end-1]
	}
	args, scratch, ok := splitArgs(r.args[:0], r.scratch, line)
	r.scratch = scratch
	if !ok {
		return r.fail("unbalanced quotes in request")
	}
	if len(line) == 0 {
		r.Newlines++
	}
	r.args = args
	if len(args) == 0 {
		r.consume(end + 1)
		return stepSkip
	}
	r.Inline = true
	r.command(end + 1)
	return stepCommand
}

// SplitArgs splits a line into words by the rules of inline commands, redis-cli and redis.conf (Redis's sdssplitargs):
// words are separated by blanks; within double quotes \n \r \t \b \a \xHH are understood and any other escaped byte
// stands for itself; within single quotes only \' is. A closing quote must be followed by a blank or the end of the
// line. ok is false when quotes are unbalanced. The words without quotes are views into line. A NUL byte ends the
// line.
func SplitArgs(line []byte) (args [][]byte, ok bool) {
	args, _, ok = splitArgs(nil, nil, line)
	return args, ok
}

// splitArgs appends the words of line to args. Words that differ from their source are built at the end of scratch;
// the earlier contents of scratch are never touched, because arguments may still point there.
func splitArgs(args [][]byte, scratch, line []byte) ([][]byte, []byte, bool) {
	i := 0
	for {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) || line[i] == 0 {
			return args, scratch, true
		}
		start := i
		for i < len(line) && !endsWord(line[i]) && line[i] != '"' && line[i] != '\'' {
			i++
		}
		if i == len(line) || endsWord(line[i]) {
			args = append(args, line[start:i:i])
			continue
		}
		from := len(scratch)
		scratch = append(scratch, line[start:i]...)
		var ok bool
		if scratch, i, ok = quotedWord(scratch, line, i); !ok {
			return args, scratch, false
		}
		args = append(args, scratch[from:len(scratch):len(scratch)])
	}
}

// quotedWord appends the rest of a word that holds quotes. line[i] is the first quote. It returns the index after the
// word.
func quotedWord(dst, line []byte, i int) ([]byte, int, bool) {
	var quote byte
	for {
		if i == len(line) || line[i] == 0 {
			return dst, i, quote == 0
		}
		c := line[i]
		switch {
		case quote == 0:
			if endsWord(c) {
				return dst, i, true
			}
			if c == '"' || c == '\'' {
				quote = c
			} else {
				dst = append(dst, c)
			}
		case c == quote:
			// A closing quote ends the word, and only a blank may follow.
			i++
			return dst, i, i == len(line) || line[i] == 0 || isSpace(line[i])
		case c == '\\' && quote == '\'':
			if i+1 < len(line) && line[i+1] == '\'' {
				i++
				c = '\''
			}
			dst = append(dst, c)
		case c == '\\' && i+1 < len(line) && line[i+1] != 0:
			if line[i+1] == 'x' && i+3 < len(line) && hexValue(line[i+2]) < 16 && hexValue(line[i+3]) < 16 {
				dst = append(dst, hexValue(line[i+2])<<4|hexValue(line[i+3]))
				i += 3
				break
			}
			i++
			c = line[i]
			switch c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'b':
				c = '\b'
			case 'a':
				c = '\a'
			}
			dst = append(dst, c)
		default:
			dst = append(dst, c)
		}
		i++
	}
}

// isSpace is the C locale's isspace.
func isSpace(c byte) bool { return c == ' ' || c-'\t' <= '\r'-'\t' }

// endsWord tells whether c ends a word that is not quoted. Vertical tab and form feed separate words but do not end
// one: Redis has two lists.
func endsWord(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 }

// hexValue returns the value of a hexadecimal digit, or 255.
func hexValue(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return (c | 0x20) - 'a' + 10
	}
	return 255
}
