package main

import (
	"io"
	"log"
	"net"
	"net/http"

	"github.com/soheilhy/cmux"
)

const grpcContentType = "application/grpc"

func serve(name name, listener net.Listener, backEnds addresses) error {
	switch name.front {
	case "mute":
		go each(listener, func(connection net.Conn) {
			io.Copy(io.Discard, connection)
			connection.Close()
		})
		return nil
	case "eof":
		go each(listener, func(connection net.Conn) {
			// As many bytes as preface and empty SETTINGS have.
			io.ReadFull(connection, make([]byte, 33))
			connection.Close()
		})
		return nil
	case "http1":
		go serveHTTP(listener, http.NewServeMux())
		return nil
	case "direct":
		return serveBackEnd(name.backEnd, listener, backEnds)
	}

	// cmux tries its matchers in the order in which they are added.
	mux := cmux.New(listener)
	var grpcListener net.Listener
	switch name.front {
	case "cmux-header":
		grpcListener = mux.Match(cmux.HTTP2HeaderField("content-type", grpcContentType))
	case "cmux-settings":
		grpcListener = mux.MatchWithWriters(
			cmux.HTTP2MatchHeaderFieldSendSettings("content-type", grpcContentType))
	case "cmux-settings-twice":
		grpcListener = mux.MatchWithWriters(
			cmux.HTTP2MatchHeaderFieldSendSettings("content-type", grpcContentType+"+proto"),
			cmux.HTTP2MatchHeaderFieldSendSettings("content-type", grpcContentType))
	case "cmux-preface":
		grpcListener = mux.Match(cmux.HTTP2())
	}
	httpListener := mux.Match(cmux.HTTP1Fast())
	if err := serveBackEnd(name.backEnd, grpcListener, backEnds); err != nil {
		return err
	}
	go serveHTTP(httpListener, http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		io.WriteString(response, "hello from http\n")
	}))
	go mux.Serve()
	return nil
}

func serveHTTP(listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	server.Serve(listener)
}

func each(listener net.Listener, serve func(net.Conn)) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go serve(connection)
	}
}
