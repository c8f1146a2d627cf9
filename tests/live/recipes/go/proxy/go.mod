module muxbed.test/proxy

go 1.25.0

require github.com/soheilhy/cmux v0.1.5

require (
	golang.org/x/net v0.55.0 // indirect
	golang.org/x/text v0.37.0 // indirect
)
