// A grpc-go client that makes health checks and says what became of each: see the contract in tests/live/README.md.
//
// One source for every version, so it keeps to what 1.8 had and 1.83 still has, and encodes the two messages itself: their
// generated code needs a protobuf that not every version can be built with.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Messages as they are on the wire.
type raw struct{}

func (raw) Marshal(message interface{}) ([]byte, error) { return message.([]byte), nil }

func (raw) Unmarshal(bytes []byte, message interface{}) error {
	*message.(*[]byte) = append([]byte(nil), bytes...)
	return nil
}

func (raw) String() string { return "proto" }

type call struct {
	At    float64 `json:"at_s"`
	Error *string `json:"error"`
}

type report struct {
	sync.Mutex
	started time.Time
	Calls   []call   `json:"rpcs"`
	Output  []string `json:"output"`
}

func (r *report) say(format string, values ...interface{}) {
	r.Lock()
	defer r.Unlock()
	text := fmt.Sprintf(format, values...)
	r.Output = append(r.Output, fmt.Sprintf("%7.3f %s", time.Since(r.started).Seconds(), text))
}

func (r *report) called(err error) {
	r.Lock()
	defer r.Unlock()
	call := call{At: float64(time.Since(r.started).Milliseconds()) / 1000}
	if err != nil {
		text := err.Error()
		call.Error = &text
	}
	r.Calls = append(r.Calls, call)
}

func main() {
	address := flag.String("address", "", "HOST:PORT of the server")
	checks := flag.Int("checks", 2, "how many calls to make")
	certificate := flag.String("tls", "", "the certificate to trust, in PEM; cleartext without it")
	flag.Parse()

	security := grpc.WithInsecure()
	if *certificate != "" {
		pem, err := os.ReadFile(*certificate)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		config := &tls.Config{RootCAs: roots, ServerName: "muxbed.test"}
		security = grpc.WithTransportCredentials(credentials.NewTLS(config))
	}

	report := &report{started: time.Now(), Calls: []call{}, Output: []string{}}
	channel, err := grpc.Dial(*address, security, grpc.WithCodec(raw{}))
	report.say("dial err=%v version=%s go=%s", err, grpc.Version, runtime.Version())
	if err != nil {
		report.called(err)
	} else {
		go watch(channel, report)
		for made := 0; made < *checks; made++ {
			err := check(channel)
			report.called(err)
			if err != nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		channel.Close()
		// What it still says on closing is part of the capture.
		time.Sleep(50 * time.Millisecond)
	}
	report.Lock()
	json.NewEncoder(os.Stdout).Encode(report)
}

func check(channel *grpc.ClientConn) error {
	deadline, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	var answer []byte
	return grpc.Invoke(deadline, "/grpc.health.v1.Health/Check", []byte{}, &answer, channel)
}

func watch(channel *grpc.ClientConn, report *report) {
	for state := channel.GetState(); ; state = channel.GetState() {
		report.say("state %v", state)
		if !channel.WaitForStateChange(context.Background(), state) {
			return
		}
	}
}
