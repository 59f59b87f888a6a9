// Drives a broker with Go's Kafka clients: `clients <bootstrap address> [<address with SASL>] <scenario>...`. Every observation is one line of
// JSON, `{"scenario": ..., "step": ..., "result": ...}`, the same for every broker that does it right. A scenario that
// cannot go on says so as its step "error".
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// deadline bounds a scenario: a client that waits for ever is a finding, not a hang.
const deadline = 60 * time.Second

type scenario func(ctx context.Context, world *world) error

var scenarios = map[string]scenario{
	"franz-codecs":           franzCodecs,
	"franz-big-messages":     franzBigMessages,
	"franz-offsets":          franzOffsets,
	"franz-classic-group":    franzClassicGroup,
	"franz-static-member":    franzStaticMember,
	"franz-consumer-group":   franzConsumerGroup,
	"franz-share-group":      franzShareGroup,
	"franz-transactions":     franzTransactions,
	"franz-transaction-copy": franzTransactionCopy,
	"franz-admin":            franzAdmin,
	"franz-compaction":       franzCompaction,
	"franz-security":         franzSecurity,
	"franz-quota":            franzQuota,
	"franz-sasl":             franzSasl,
	"franz-access":           franzAccess,
	"sarama-codecs":          saramaCodecs,
	"sarama-group":           saramaGroup,
	"sarama-transactions":    saramaTransactions,
	"sarama-admin":           saramaAdmin,
	"sarama-sasl":            saramaSasl,
}

// world is what a scenario works on.
type world struct {
	address string
	// saslAddress is where one must say who one is; "" where there is no such address.
	saslAddress string
	scenario    string
	// prefix keeps the names of one run apart from those of others.
	prefix string
}

// name of a topic, group or transactional id of this run.
func (w *world) name(local string) string { return w.prefix + local }

func (w *world) observe(step string, got any) {
	result, isText := got.(string)
	if !isText {
		result = string(must(json.Marshal(got)))
	}
	line := must(json.Marshal(map[string]string{"scenario": w.scenario, "step": step, "result": result}))
	fmt.Println(string(line))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "list" {
		for name := range scenarios {
			fmt.Println(name)
		}
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "history" {
		if err := franzHistory(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "cannot make a history: "+err.Error())
			os.Exit(2)
		}
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "disk-load" {
		if err := franzDiskLoad(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "cannot load: "+err.Error())
			os.Exit(2)
		}
		return
	}
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: clients list | clients <host:port> [<host:port with SASL>] <scenario>... | clients history <host:port> <topic> <partitions> <seed> <seconds>")
		os.Exit(2)
	}
	names, saslAddress := os.Args[2:], ""
	if strings.Contains(names[0], ":") {
		names, saslAddress = names[1:], names[0]
	}
	var running sync.WaitGroup
	for _, name := range names {
		run := scenarios[name]
		if run == nil {
			fmt.Fprintln(os.Stderr, "cannot run "+name+": want one of those that `clients list` prints")
			os.Exit(2)
		}
		running.Add(1)
		go func() {
			defer running.Done()
			ctx, cancel := context.WithTimeout(context.Background(), deadline)
			defer cancel()
			w := &world{address: os.Args[1], saslAddress: saslAddress, scenario: name, prefix: "go-" + name + "-"}
			if err := run(ctx, w); err != nil {
				w.observe("error", err.Error())
			}
		}()
	}
	running.Wait()
}
