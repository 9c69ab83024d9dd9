package testutil

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Must sends a command and fails the test when it cannot, or when the reply is an error.
func (c *Conn) Must(tb testing.TB, args ...string) Value {
	tb.Helper()
	v, err := c.Do(args...)
	if err == nil {
		err = v.Err()
	}
	if err != nil {
		tb.Fatalf("%.200q: %v", args, err)
	}
	return v
}

// Eventually calls fn until it returns nil, every few milliseconds, and fails the test with its last error when the time is over.
func Eventually(tb testing.TB, timeout time.Duration, what string, fn func() error) {
	tb.Helper()
	if err := WaitFor(timeout, fn); err != nil {
		tb.Fatalf("not in %v: %s: %v", timeout, what, err)
	}
}

// WaitFor calls fn until it returns nil; after the timeout it returns fn's last error.
func WaitFor(timeout time.Duration, fn func() error) error {
	deadline := time.Now().Add(timeout)
	pause := time.Millisecond
	for {
		err := fn()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause)
		pause = min(pause*2, 50*time.Millisecond)
	}
}

// Info returns the fields of an INFO reply ("" for all sections).
func (c *Conn) Info(section string) (map[string]string, error) {
	args := []string{"INFO"}
	if section != "" {
		args = append(args, section)
	}
	v, err := c.Do(args...)
	if err == nil {
		err = v.Err()
	}
	if err != nil {
		return nil, err
	}
	text := v.Text
	if v.Kind == '=' {
		text = strings.TrimPrefix(text, "txt:")
	}
	fields := map[string]string{}
	for l := range strings.SplitSeq(text, "\r\n") {
		if k, val, ok := strings.Cut(l, ":"); ok && !strings.HasPrefix(l, "#") {
			fields[k] = val
		}
	}
	return fields, nil
}

// Digest is DEBUG DIGEST: 40 hex digits over every database, equal when the data is equal.
func (c *Conn) Digest() (string, error) {
	v, err := c.Do("DEBUG", "DIGEST")
	if err != nil {
		return "", err
	}
	if err := v.Err(); err != nil {
		return "", err
	}
	if len(v.Text) != 40 {
		return "", fmt.Errorf("DEBUG DIGEST: %v", v)
	}
	return v.Text, nil
}

// SameDigest returns nil when both servers hold the same data, else an error that names the keys that differ (the first few).
func SameDigest(a, b *Conn) error {
	da, err := a.Digest()
	if err != nil {
		return err
	}
	db, err := b.Digest()
	if err != nil {
		return err
	}
	if da == db {
		return nil
	}
	diff := DiffKeys(a, b, 8)
	if diff == nil {
		return nil
	}
	return fmt.Errorf("DEBUG DIGEST differs: %s, %s%w", da, db, diff)
}

// DiffKeys compares two servers key by key (DEBUG DIGEST-VALUE, TYPE and PEXPIRETIME in each of 16 databases) and describes at most max
// differences; an error that says so when it finds none. Sorted sets that differ in the sign
// of a zero only count as equal, and if there is nothing else the result is nil: a listpack keeps -0 as 0 and a skiplist does not, and which of
// the two a small sorted set is depends on its history, in redis-server too. It leaves both connections in database 0. It is for small data.
func DiffKeys(a, b *Conn, max int) error {
	var out []string
	zeros := 0
	for db := range 16 {
		keys := map[string]bool{}
		for _, c := range []*Conn{a, b} {
			if v, err := c.Do("SELECT", fmt.Sprint(db)); err != nil || v.Err() != nil {
				return errors.Join(err, v.Err())
			}
			v, err := c.Do("KEYS", "*")
			if err != nil {
				return err
			}
			for _, k := range v.Strings() {
				keys[k] = true
			}
		}
		for k := range keys {
			va, err := describe(a, k)
			if err != nil {
				return err
			}
			vb, err := describe(b, k)
			if err != nil {
				return err
			}
			if va != vb && strings.HasPrefix(va, "zset ") {
				same, err := sameButForZeros(a, b, k)
				if err != nil {
					return err
				}
				if same {
					zeros++
					continue
				}
			}
			if va != vb && len(out) < max {
				out = append(out, fmt.Sprintf("db %d key %.80q: %s | %s", db, k, va, vb))
			}
		}
	}
	for _, c := range []*Conn{a, b} {
		if _, err := c.Do("SELECT", "0"); err != nil {
			return err
		}
	}
	if len(out) == 0 && zeros > 0 {
		return nil
	}
	if len(out) == 0 {
		return errors.New("; no visible key differs")
	}
	return errors.New(":\n  " + strings.Join(out, "\n  "))
}

// sameButForZeros compares two sorted sets with -0 taken for 0.
func sameButForZeros(a, b *Conn, key string) (bool, error) {
	var texts [2][]string
	for i, c := range []*Conn{a, b} {
		for _, q := range [][]string{{"PEXPIRETIME", key}, {"ZRANGE", key, "0", "-1", "WITHSCORES"}} {
			v, err := c.Do(q...)
			if err != nil {
				return false, err
			}
			if v.Err() != nil {
				return false, nil // no sorted set
			}
			for _, s := range append(v.Strings(), v.String()) {
				if s == "-0" {
					s = "0"
				}
				texts[i] = append(texts[i], s)
			}
		}
		texts[i] = texts[i][:len(texts[i])-1] // the text of the whole reply, which holds the zeros as they are
	}
	return slices.Equal(texts[0], texts[1]), nil
}

func describe(c *Conn, key string) (string, error) {
	var parts []string
	for _, q := range [][]string{{"TYPE", key}, {"PEXPIRETIME", key}, {"DEBUG", "DIGEST-VALUE", key}, {"GETRANGE", key, "0", "60"}} {
		v, err := c.Do(q...)
		if err != nil {
			return "", err
		}
		parts = append(parts, v.String())
	}
	return strings.Join(parts, " "), nil
}
