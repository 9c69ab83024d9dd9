package resp

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// Value is a decoded reply, for tests and tools. Strings are views into the decoded bytes.
type Value struct {
	// Kind is the type byte on the wire: one of + - : $ * _ # , ( ! = % ~ and >.
	Kind byte
	// Null is set for the null of RESP3 and for RESP2's null bulk string and null array.
	Null bool
	// Str is the text of a string, error, verbatim string or number.
	Str []byte
	// Format is the three-letter format of a verbatim string.
	Format string
	// Int is the value of an integer, and 1 or 0 for a boolean.
	Int int64
	// Float is the value of a double.
	Float float64
	// Elems are the elements of an aggregate; for a map each key is followed by its value.
	Elems []Value
	// Attrs are the attributes that preceded the value, each key followed by its value.
	Attrs []Value
}

// DecodeValue decodes one reply, whose extent was found by a ReplyReader. It is an error when raw does not hold
// exactly one whole reply.
func DecodeValue(raw []byte) (Value, error) {
	var r ReplyReader
	r.Feed(raw)
	whole, ok, err := r.Next()
	switch {
	case err != nil:
		return Value{}, err
	case !ok:
		return Value{}, errors.New("resp: the reply is not complete")
	case len(whole) != len(raw):
		return Value{}, fmt.Errorf("resp: %d bytes after the reply", len(raw)-len(whole))
	}
	v, _, err := decode(raw)
	return v, err
}

// decode decodes the reply at the start of b, which a ReplyReader has found to be well-formed, and returns what
// follows it.
func decode(b []byte) (Value, []byte, error) {
	var attrs []Value
	for {
		v, rest, err := decodeOne(b)
		if err != nil {
			return v, nil, err
		}
		if v.Kind != '|' {
			v.Attrs = attrs
			return v, rest, nil
		}
		attrs = append(attrs, v.Elems...)
		b = rest
	}
}

// decodeOne is decode for one element, which may be the attributes of the next one.
func decodeOne(b []byte) (Value, []byte, error) {
	var v Value
	end := bytes.IndexByte(b, '\r')
	v.Kind = b[0]
	line := b[1:end]
	b = b[end+2:]
	switch v.Kind {
	case '+', '-', '(':
		v.Str = line
	case ':':
		v.Str = line
		v.Int, _ = numeric.ParseInt(line)
	case '_':
		v.Null = true
	case '#':
		v.Str = line
		if line[0] == 't' {
			v.Int = 1
		}
	case ',':
		v.Str = line
		switch string(line) {
		case "inf":
			v.Float = math.Inf(1)
		case "-inf":
			v.Float = math.Inf(-1)
		case "nan", "-nan":
			v.Float = math.NaN()
		default:
			f, err := strconv.ParseFloat(string(line), 64)
			if err != nil {
				return v, nil, fmt.Errorf("resp: not a double: %.40q", line)
			}
			v.Float = f
		}
	case '$', '!', '=':
		n, _ := numeric.ParseInt(line)
		if n < 0 {
			v.Null = true
			return v, b, nil
		}
		v.Str = b[:n]
		b = b[n+2:]
		if v.Kind == '=' {
			v.Format, v.Str = string(v.Str[:3]), v.Str[4:]
		}
	default:
		n, _ := numeric.ParseInt(line)
		if n < 0 {
			v.Null = true
			return v, b, nil
		}
		if v.Kind == '%' || v.Kind == '|' {
			n *= 2
		}
		for range n {
			var e Value
			var err error
			if e, b, err = decode(b); err != nil {
				return v, nil, err
			}
			v.Elems = append(v.Elems, e)
		}
	}
	return v, b, nil
}

// IsError tells whether the reply is an error.
func (v Value) IsError() bool { return v.Kind == '-' || v.Kind == '!' }

// String returns a compact form for messages: (nil), "text", (error) text, 12, [1 2], {k v}, ~{m}, >[push].
func (v Value) String() string {
	var b strings.Builder
	v.write(&b)
	return b.String()
}

func (v Value) write(b *strings.Builder) {
	list := func(open string, elems []Value, end string) {
		b.WriteString(open)
		for i, e := range elems {
			if i > 0 {
				b.WriteByte(' ')
			}
			e.write(b)
		}
		b.WriteString(end)
	}
	if len(v.Attrs) > 0 {
		list("|{", v.Attrs, "} ")
	}
	switch {
	case v.Null:
		b.WriteString("(nil)")
	case v.IsError():
		fmt.Fprintf(b, "(error) %s", v.Str)
	case v.Kind == ':' || v.Kind == ',' || v.Kind == '(' || v.Kind == '+':
		b.Write(v.Str)
	case v.Kind == '#':
		b.WriteString(strconv.FormatBool(v.Int == 1))
	case v.Kind == '$' || v.Kind == '=':
		fmt.Fprintf(b, "%q", v.Str)
	case v.Kind == '%':
		list("{", v.Elems, "}")
	case v.Kind == '~':
		list("~{", v.Elems, "}")
	case v.Kind == '>':
		list(">[", v.Elems, "]")
	default:
		list("[", v.Elems, "]")
	}
}
