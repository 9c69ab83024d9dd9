package scripting

// How deep a text is nested, found out before the parser sees it.
//
// Parser and compiler of the library walk a text by recursion and look variables up block by block: brackets or blocks nested by the
// hundred thousand overflow the goroutine's stack, which ends the process, or keep the compiler busy for minutes, where nothing can
// interrupt it. Lua 5.1 refuses more than 200 levels. So does this scan, which knows no more of the language than its tokens: it counts open
// brackets and blocks, and the operators and suffixes of one expression, which make a tree as deep as they are many.

const (
	maxNesting = 200   // levels, as in Lua 5.1
	maxChain   = 10000 // operators, calls and fields of one expression; branches of one if
)

// checkNesting refuses a text that is nested too deeply.
func checkNesting(src, name string) error {
	n := nesting{src: src, line: 1}
	if n.scan() {
		return nil
	}
	return textError(name + ":" + itoa(n.line) + ": chunk has too many syntax levels")
}

type nesting struct {
	src    string
	i      int
	line   int
	levels []int // the chain that each open bracket or block interrupts
	chain  int
}

func (n *nesting) open() bool {
	n.levels = append(n.levels, n.chain)
	n.chain = 0
	return len(n.levels) <= maxNesting
}

func (n *nesting) shut() {
	if last := len(n.levels) - 1; last >= 0 {
		n.chain = n.levels[last]
		n.levels = n.levels[:last]
	}
}

// scan returns false where the text is nested too deeply.
func (n *nesting) scan() bool {
	operand := false // the last token ended an operand
	branches := 0
	for n.i < len(n.src) {
		c := n.src[n.i]
		switch {
		case c == '\n':
			n.line++
			n.i++
		case c == ' ' || c == '\t' || c == '\r':
			n.i++
		case c == '-' && n.at(1) == '-':
			n.i += 2
			if !n.long() {
				for n.i < len(n.src) && n.src[n.i] != '\n' {
					n.i++
				}
			}
		case c == '"' || c == '\'':
			n.quoted(c)
			if operand {
				n.chain++ // a call
			}
			operand = true
		case c == '[' && n.long():
			if operand {
				n.chain++
			}
			operand = true
		case classOf(c, 'w') || c == '_':
			from := n.i
			for n.i < len(n.src) && (classOf(n.src[n.i], 'w') || n.src[n.i] == '_') {
				n.i++
			}
			word := n.src[from:n.i]
			was := operand
			operand = false
			switch word {
			case "do", "then", "repeat", "function":
				if !n.open() {
					return false
				}
			case "end", "until":
				n.shut()
				operand = word == "end"
			case "elseif":
				n.shut()
				branches++
				n.chain = 0
			case "else":
				n.chain = 0
			case "and", "or", "not":
				n.chain++
			case "if", "while", "for", "local", "return", "break", "in":
				n.chain = 0
				if word == "if" && len(n.levels) == 0 {
					branches = 0
				}
			default:
				if was {
					n.chain = 0 // a name behind an operand begins a statement
				}
				operand = true
			}
		case c == '(' || c == '{' || c == '[':
			if operand {
				n.chain++ // a call or an index
			}
			if !n.open() {
				return false
			}
			n.i++
			operand = false
		case c == ')' || c == '}' || c == ']':
			n.shut()
			n.i++
			operand = true
		case c == ',' || c == ';' || c == '=' && n.at(1) != '=':
			n.chain = 0
			n.i++
			operand = false
		default:
			for n.i++; n.i < len(n.src) && c == n.src[n.i] && (c == '.' || c == '='); n.i++ {
			}
			n.chain++
			operand = false
		}
		if n.chain > maxChain || branches > maxChain {
			return false
		}
	}
	return true
}

func (n *nesting) at(d int) byte {
	if n.i+d < len(n.src) {
		return n.src[n.i+d]
	}
	return 0
}

// quoted passes a string in quotes.
func (n *nesting) quoted(quote byte) {
	for n.i++; n.i < len(n.src); n.i++ {
		switch n.src[n.i] {
		case '\\':
			n.i++
			if n.i < len(n.src) && n.src[n.i] == '\n' {
				n.line++
			}
		case '\n':
			return // the parser's business
		case quote:
			n.i++
			return
		}
	}
}

// long passes a long bracket, if one stands here.
func (n *nesting) long() bool {
	if n.at(0) != '[' {
		return false
	}
	d := 1
	for n.at(d) == '=' {
		d++
	}
	if n.at(d) != '[' {
		return false
	}
	level := d - 1
	for n.i += d + 1; n.i < len(n.src); n.i++ {
		switch n.src[n.i] {
		case '\n':
			n.line++
		case ']':
			e := 1
			for e <= level && n.at(e) == '=' {
				e++
			}
			if e == level+1 && n.at(e) == ']' {
				n.i += e + 1
				return true
			}
		}
	}
	return true
}
