package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// DefaultProbe is asked when a probe names nothing else.
const DefaultProbe = "http://127.0.0.1:9121/healthz"

// Probe asks a page of another process, for container images that have no program but this one. The error says what it
// answered if that was not 200.
func Probe(url string) error {
	c := http.Client{Timeout: patience + time.Second}
	res, err := c.Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, res.Status, body)
	}
	return nil
}
