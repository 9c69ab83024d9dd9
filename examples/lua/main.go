// Command lua runs scripts in the Lua engine alone, without a server: the program itself answers redis.call.
package main

import (
	"fmt"
	"log"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/scripting"
)

func main() {
	data := map[string]string{"stock:apples": "12", "stock:pears": "7"}
	commands := scripting.Commands{
		Do: func(args [][]byte) (any, error) {
			switch strings.ToUpper(string(args[0])) {
			case "GET":
				if v, ok := data[string(args[1])]; ok {
					return v, nil
				}
				return nil, nil
			case "SET":
				data[string(args[1])] = string(args[2])
				return "OK", nil
			}
			return nil, fmt.Errorf("unknown command %q", args[0])
		},
	}
	engine := scripting.New(commands.Host(), scripting.Options{})

	total, err := engine.Eval("return redis.call('GET', KEYS[1]) + redis.call('GET', KEYS[2])", []string{"stock:apples", "stock:pears"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("in stock:", total)

	// A script that was loaded once is run by its name, the SHA1 of its text.
	sha, err := engine.LoadScript("redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])")
	if err != nil {
		log.Fatal(err)
	}
	v, err := engine.EvalSHA(sha, []string{"stock:plums"}, []string{"3"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("plums:", v)

	// Scripts see neither files nor the system, and leave nothing to each other.
	_, err = engine.Eval("return os.execute('date')", nil, nil)
	fmt.Println("os.execute:", err)
}
