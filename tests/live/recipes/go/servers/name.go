package main

import (
	"fmt"
	"slices"
	"strings"
)

type security int

const (
	cleartext security = iota
	withProtocols
	withoutProtocols
)

// A server's name, taken apart.
type name struct {
	security security
	front    string
	backEnd  string
}

var fronts = []string{
	"direct", "cmux-header", "cmux-settings", "cmux-settings-twice", "cmux-preface", "mute", "eof", "http1",
}

func parse(text string) (name, error) {
	parsed := name{backEnd: "grpc-go"}
	rest, found := strings.CutPrefix(text, "tls-noalpn-")
	if found {
		parsed.security = withoutProtocols
	} else if rest, found = strings.CutPrefix(text, "tls-"); found {
		parsed.security = withProtocols
	}
	front, backEnd, found := strings.Cut(rest, "-to-")
	if found {
		parsed.backEnd = backEnd
	}
	if !slices.Contains(fronts, front) {
		return name{}, fmt.Errorf("%q names no server: %q is none of %s", text, front, strings.Join(fronts, " "))
	}
	parsed.front = front
	return parsed, nil
}
