package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Settings are the tls-* directives, with paths as they are to be opened.
type Settings struct {
	CertFile, KeyFile, KeyPass                   string
	ClientCertFile, ClientKeyFile, ClientKeyPass string // shown to the master; empty: CertFile
	CAFile, CADir                                string
	ClientAuth                                   tls.ClientAuthType
	Protocols                                    string // "TLSv1.2 TLSv1.3"; empty: both
	Ciphers                                      string // of TLS 1.2, by OpenSSL's names; empty: the library's choice
	SessionCaching                               bool
	// VerifyName has the master's certificate checked for the name by which it was dialled, not only for who signed it.
	VerifyName bool
}

// Server reads the files and returns the configuration of the listener. Errors name the file or the directive.
func (s *Settings) Server() (*tls.Config, error) {
	if s.CertFile == "" {
		return nil, errors.New("no tls-cert-file configured")
	}
	cfg, err := s.common(s.CertFile, s.KeyFile, s.KeyPass, "tls-key-file")
	if err != nil {
		return nil, err
	}
	cfg.ClientAuth = s.ClientAuth
	cfg.ClientCAs = cfg.RootCAs
	if cfg.ClientCAs == nil && s.ClientAuth != tls.NoClientCert {
		return nil, errNoCA
	}
	cfg.RootCAs = nil
	cfg.SessionTicketsDisabled = !s.SessionCaching
	return cfg, nil
}

var errNoCA = errors.New("either tls-ca-cert-file or tls-ca-cert-dir must be given when tls-replication or tls-auth-clients are enabled")

// Client reads the files and returns the configuration for connections to the master. The signature of the master's
// certificate is always checked. Its name is only if VerifyName is set: redis-server looks at the signer alone, and
// its users' certificates often name nothing.
func (s *Settings) Client() (*tls.Config, error) {
	cert, key, pass, directive := s.ClientCertFile, s.ClientKeyFile, s.ClientKeyPass, "tls-client-key-file"
	if cert == "" {
		cert, key, pass, directive = s.CertFile, s.KeyFile, s.KeyPass, "tls-key-file"
	}
	cfg, err := s.common(cert, key, pass, directive)
	if err != nil {
		return nil, err
	}
	if cfg.RootCAs == nil {
		return nil, errNoCA
	}
	if !s.VerifyName {
		roots := cfg.RootCAs
		cfg.InsecureSkipVerify = true // VerifyConnection does it, but for the name
		cfg.VerifyConnection = func(st tls.ConnectionState) error {
			opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
			for _, c := range st.PeerCertificates[1:] {
				opts.Intermediates.AddCert(c)
			}
			if _, err := st.PeerCertificates[0].Verify(opts); err != nil {
				return &tls.CertificateVerificationError{UnverifiedCertificates: st.PeerCertificates, Err: err}
			}
			return nil
		}
	}
	return cfg, nil
}

// common is what both sides need. Without a certificate the client shows none.
func (s *Settings) common(certFile, keyFile, pass, keyDirective string) (*tls.Config, error) {
	cfg := &tls.Config{DynamicRecordSizingDisabled: true}
	var err error
	if cfg.MinVersion, cfg.MaxVersion, err = versions(s.Protocols); err != nil {
		return nil, err
	}
	if cfg.CipherSuites, err = ciphers(s.Ciphers); err != nil {
		return nil, err
	}
	if certFile != "" {
		if keyFile == "" {
			return nil, fmt.Errorf("no %s configured", keyDirective)
		}
		cert, err := loadPair(certFile, keyFile, pass)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	cfg.RootCAs, err = s.authorities()
	return cfg, err
}

// authorities reads tls-ca-cert-file and tls-ca-cert-dir; nil if neither is given.
func (s *Settings) authorities() (*x509.CertPool, error) {
	if s.CAFile == "" && s.CADir == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if s.CAFile != "" {
		text, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", s.CAFile)
		}
	}
	if s.CADir != "" {
		files, err := os.ReadDir(s.CADir)
		if err != nil {
			return nil, err
		}
		found := false
		for _, f := range files {
			// Whatever else stands in the folder, keys for one, is passed over.
			if text, err := os.ReadFile(filepath.Join(s.CADir, f.Name())); err == nil {
				found = pool.AppendCertsFromPEM(text) || found
			}
		}
		if !found {
			return nil, fmt.Errorf("%s holds no certificate", s.CADir)
		}
	}
	return pool, nil
}

// loadPair reads a certificate with its chain, and its key.
func loadPair(certFile, keyFile, pass string) (tls.Certificate, error) {
	certs, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	if key, err = decryptKey(key, pass); err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", keyFile, err)
	}
	pair, err := tls.X509KeyPair(certs, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s and %s: %w", certFile, keyFile, err)
	}
	return pair, nil
}

// decryptKey returns the PEM text of a key with its encryption taken off, if it has one.
func decryptKey(text []byte, pass string) ([]byte, error) {
	for rest := text; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return text, nil // no key, or a plain one: the caller's parser will say
		}
		switch {
		case b.Type == "ENCRYPTED PRIVATE KEY":
			der, err := decryptPKCS8(b.Bytes, []byte(pass))
			if err != nil {
				return nil, err
			}
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
		case strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED"):
			//lint:ignore SA1019 the format is weak, but in use: redis-server reads it
			der, err := x509.DecryptPEMBlock(b, []byte(pass))
			if err != nil {
				return nil, err
			}
			return pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: der}), nil
		}
	}
}

var versionNames = map[string]uint16{
	"tlsv1": tls.VersionTLS10, "tlsv1.1": tls.VersionTLS11, "tlsv1.2": tls.VersionTLS12, "tlsv1.3": tls.VersionTLS13,
}

// versions reads tls-protocols. The library takes a range: those between the lowest and the highest are allowed too.
func versions(names string) (lo, hi uint16, err error) {
	words := strings.Fields(names)
	if len(words) == 0 {
		return tls.VersionTLS12, tls.VersionTLS13, nil
	}
	for _, w := range words {
		v, ok := versionNames[strings.ToLower(w)]
		if !ok {
			return 0, 0, fmt.Errorf("tls-protocols: invalid protocol %q: use a combination of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3", w)
		}
		if lo == 0 || v < lo {
			lo = v
		}
		hi = max(hi, v)
	}
	return lo, hi, nil
}

// openSSLNames are OpenSSL's names of the suites of TLS 1.2 and before that the library has.
var openSSLNames = map[string]uint16{
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

// ciphers reads tls-ciphers. Named suites are the ones to be used. OpenSSL's words for whole families (DEFAULT, HIGH, !aNULL …)
// leave the choice to the library, whose suites are none that such a word would exclude; a list in which neither a known suite
// nor such a word stands is an error, since nothing could be agreed on.
func ciphers(list string) ([]uint16, error) {
	var ids []uint16
	family, unknown := false, ""
	for _, w := range strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		id, ok := openSSLNames[strings.ToUpper(w)]
		switch {
		case ok:
			ids = append(ids, id)
		case strings.ContainsAny(w[:1], "!-+@") || !strings.Contains(w, "-"):
			family = true
		default:
			unknown = w
		}
	}
	if len(ids) == 0 && !family && unknown != "" {
		return nil, fmt.Errorf("tls-ciphers: none of %q is known, such as %q", list, unknown)
	}
	return ids, nil
}
