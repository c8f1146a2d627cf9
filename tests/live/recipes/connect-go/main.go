// connect-go with gRPC's protocol as a client: health checks over one HTTP client, one JSON line of what its user saw.
//
// The library's import path and version are filled in by build. Messages are kept as bytes, so that no generated code is
// needed. In the clear it is told to speak HTTP/2 by prior knowledge; over TLS ALPN decides.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	connect "LIBRARY"
)

type untouched struct{}

func (untouched) Name() string                    { return "proto" }
func (untouched) Marshal(any) ([]byte, error)     { return nil, nil }
func (untouched) Unmarshal(_ []byte, _ any) error { return nil }

type call struct {
	At    float64 `json:"at_s"`
	Error *string `json:"error"`
}

func main() {
	address := flag.String("address", "", "of the server")
	checks := flag.Int("checks", 2, "how many")
	certificate := flag.String("tls", "", "certificate to trust; the server is then muxbed.test")
	flag.String("mode", "grpc", "")
	flag.Parse()

	transport := &http.Transport{Protocols: new(http.Protocols)}
	scheme := "http"
	if *certificate != "" {
		scheme = "https"
		pem, err := os.ReadFile(*certificate)
		if err != nil {
			panic(err)
		}
		trusted := x509.NewCertPool()
		trusted.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: trusted, ServerName: "muxbed.test"}
		transport.Protocols.SetHTTP1(true)
		transport.Protocols.SetHTTP2(true)
	} else {
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	client := connect.NewClient[bytes.Buffer, bytes.Buffer](
		&http.Client{Transport: transport}, scheme+"://"+*address+"/grpc.health.v1.Health/Check",
		connect.WithGRPC(), connect.WithCodec(untouched{}))

	started := time.Now()
	calls := []call{}
	output := []string{}
	for number := range *checks {
		if number > 0 {
			time.Sleep(20 * time.Millisecond)
		}
		deadline, cancel := context.WithTimeout(context.Background(), 25*time.Second)
		_, err := client.CallUnary(deadline, connect.NewRequest(&bytes.Buffer{}))
		cancel()
		at := float64(time.Since(started).Milliseconds()) / 1000
		if err != nil {
			text := err.Error()
			calls = append(calls, call{at, &text})
			output = append(output, fmt.Sprintf("code %v", connect.CodeOf(err)))
			break
		}
		calls = append(calls, call{at, nil})
	}
	transport.CloseIdleConnections()
	json.NewEncoder(os.Stdout).Encode(map[string]any{"rpcs": calls, "output": output})
}
