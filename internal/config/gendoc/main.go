// Command gendoc writes what is made from the table of directives: the documentation to the file that is its first argument,
// the example of a redis.conf to the second.
package main

import (
	"log"
	"os"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: gendoc CONFIGURATION.md REDIS.conf")
	}
	for i, text := range []string{config.Markdown(), config.Example()} {
		if err := os.WriteFile(os.Args[1+i], []byte(text), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
