// Serves gRPC's health service in the ways that the recordings' servers did, one listener for each name given.
//
//	servers NAME.. [--back-end WORD=ADDRESS].. [--certificate FILE] [--keys FILE]
//
// A NAME is [tls-|tls-noalpn-](direct|cmux-header|cmux-settings|cmux-settings-twice|cmux-preface|mute|eof|http1)[-to-WORD].
// Each listener is on a free port of 127.0.0.1, and `listening on ADDRESS` is printed for each in the order of the names.
// The words grpc-go (what a name without -to- means) and h2c are served here; any other is a server in a process of its
// own, to whose ADDRESS bytes are copied. With TLS the certificate that clients are to trust is written to FILE, and the
// secrets of each session to the other FILE. It serves until its standard input ends.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

type addresses map[string]string

func (a addresses) String() string { return "" }

func (a addresses) Set(text string) error {
	word, address, found := strings.Cut(text, "=")
	if !found {
		return fmt.Errorf("%q is not WORD=ADDRESS", text)
	}
	a[word] = address
	return nil
}

func main() {
	backEnds := addresses{}
	flags := flag.NewFlagSet("servers", flag.ExitOnError)
	flags.Var(backEnds, "back-end", "WORD=ADDRESS of a server in a process of its own")
	certificate := flags.String("certificate", "", "where to write the certificate of the TLS listeners")
	keys := flags.String("keys", "", "where to write the secrets of the TLS sessions")

	var names []string
	for rest := os.Args[1:]; len(rest) > 0; {
		if strings.HasPrefix(rest[0], "-") {
			flags.Parse(rest)
			rest = flags.Args()
			continue
		}
		names, rest = append(names, rest[0]), rest[1:]
	}
	if len(names) == 0 {
		fail("no server is named")
	}

	identity := &identity{certificate: *certificate, keys: *keys}
	for _, text := range names {
		name, err := parse(text)
		if err != nil {
			fail(err.Error())
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fail(err.Error())
		}
		address := listener.Addr()
		listener, err = identity.secure(listener, name.security)
		if err != nil {
			fail(err.Error())
		}
		if err := serve(name, listener, backEnds); err != nil {
			fail(err.Error())
		}
		fmt.Println("listening on", address)
	}
	io.Copy(io.Discard, os.Stdin)
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "servers:", why)
	os.Exit(2)
}
