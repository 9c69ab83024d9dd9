// Command gendoc writes the documentation of all directives to the file that is its argument.
package main

import (
	"log"
	"os"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: gendoc FILE")
	}
	if err := os.WriteFile(os.Args[1], []byte(config.Markdown()), 0o644); err != nil {
		log.Fatal(err)
	}
}
