// Command load asks a webhook over TLS and prints what it saw as JSON.
//
//	load -url https://HOST:PORT/mutate -ca FILE -name HOST -body FILE -connections 10 -seconds 10
//
// Without -rate each connection asks again as soon as it is answered. With -rate so many requests
// are due in a second, whatever the server does: a latency counts from when its request was due, so
// that a server which stalls does not hide the requests that had to wait.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

type options struct {
	url, ca, name, body   string
	connections           int
	seconds, warmup, rate float64
	content               []byte
	began, counts, end    time.Time
}

type result struct {
	latencies []time.Duration
	failures  int
}

func main() {
	var o options
	flag.StringVar(&o.url, "url", "", "where reviews are answered")
	flag.StringVar(&o.ca, "ca", "", "file of the authority")
	flag.StringVar(&o.name, "name", "", "name in the certificate")
	flag.StringVar(&o.body, "body", "", "file of the review")
	flag.IntVar(&o.connections, "connections", 1, "how many")
	flag.Float64Var(&o.seconds, "seconds", 5, "how long")
	flag.Float64Var(&o.warmup, "warmup", 1, "seconds before that, which do not count")
	flag.Float64Var(&o.rate, "rate", 0, "requests due in a second; 0: as fast as answered")
	flag.Parse()
	if err := run(&o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(o *options) error {
	var err error
	if o.content, err = os.ReadFile(o.body); err != nil {
		return err
	}
	pem, err := os.ReadFile(o.ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: roots, ServerName: o.name}
	o.began = time.Now()
	o.counts = o.began.Add(time.Duration(o.warmup * float64(time.Second)))
	o.end = o.counts.Add(time.Duration(o.seconds * float64(time.Second)))
	results := make([]result, o.connections)
	due := schedule(o)
	var group sync.WaitGroup
	for number := range o.connections {
		group.Go(func() { results[number] = ask(o, config, due) })
	}
	group.Wait()
	return report(o, results)
}

// schedule returns the times at which requests are due; nil for as fast as answered.
func schedule(o *options) <-chan time.Time {
	if o.rate == 0 {
		return nil
	}
	due := make(chan time.Time, int(o.rate*(o.seconds+o.warmup))+1)
	go func() {
		defer close(due)
		step := time.Duration(float64(time.Second) / o.rate)
		for at := o.began; at.Before(o.end); at = at.Add(step) {
			time.Sleep(time.Until(at))
			due <- at
		}
	}()
	return due
}

// ask keeps one connection busy until the time is up.
func ask(o *options, config *tls.Config, due <-chan time.Time) result {
	transport := &http.Transport{TLSClientConfig: config, MaxConnsPerHost: 1, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	var found result
	for time.Now().Before(o.end) {
		at := time.Now()
		if due != nil {
			var open bool
			if at, open = <-due; !open {
				break
			}
		}
		err := once(client, o)
		if at.Before(o.counts) {
			continue
		}
		if err != nil {
			found.failures++
			continue
		}
		found.latencies = append(found.latencies, time.Since(at))
	}
	return found
}

func once(client *http.Client, o *options) error {
	answer, err := client.Post(o.url, "application/json", bytes.NewReader(o.content))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err = io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %d", answer.StatusCode)
	}
	return nil
}

func report(o *options, results []result) error {
	var all []time.Duration
	failures := 0
	for _, each := range results {
		all = append(all, each.latencies...)
		failures += each.failures
	}
	slices.Sort(all)
	told := map[string]any{"requests": len(all), "failures": failures}
	if len(all) > 0 {
		told["per_second"] = float64(len(all)) / o.seconds
		told["p50_ms"] = at(all, 0.50)
		told["p99_ms"] = at(all, 0.99)
		told["max_ms"] = at(all, 1)
	}
	return json.NewEncoder(os.Stdout).Encode(told)
}

// at returns the smallest latency that this share of all does not exceed, in milliseconds.
func at(sorted []time.Duration, share float64) float64 {
	rank := min(int(share*float64(len(sorted))), len(sorted)-1)
	return float64(sorted[rank].Microseconds()) / 1000
}
