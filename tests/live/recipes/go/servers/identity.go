package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// The certificate of the TLS listeners: made when the first of them wants it, and its key is never written anywhere.
type identity struct {
	certificate string
	keys        string
	made        *tls.Config
}

func (i *identity) secure(listener net.Listener, security security) (net.Listener, error) {
	if security == cleartext {
		return listener, nil
	}
	if i.made == nil {
		made, err := i.make()
		if err != nil {
			return nil, err
		}
		i.made = made
	}
	config := i.made.Clone()
	if security == withProtocols {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	return tls.NewListener(listener, config), nil
}

func (i *identity) make() (*tls.Config, error) {
	if i.certificate == "" {
		return nil, fmt.Errorf("a TLS listener wants --certificate FILE, where clients find what to trust")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// Not a CA's: rustls, which tonic uses, takes none of those for a server's. The others trust it as it is.
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "muxbed.test"},
		DNSNames:     []string{"muxbed.test", "localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(i.certificate, text, 0o644); err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	if i.keys != "" {
		file, err := os.OpenFile(i.keys, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		config.KeyLogWriter = file
	}
	return config, nil
}
