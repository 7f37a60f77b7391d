package smpp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"loa/channels"
)

const (
	defaultWindow  = 16
	maxWindow      = 256
	defaultTimeout = 10 * time.Second
	maxTimeout     = time.Minute
	defaultEnquire = 30 * time.Second
	maxEnquire     = 5 * time.Minute
)

// config is the driver's section of the configuration.
type config struct {
	Address     string          `yaml:"address"`      // smpps://host:port, or smpp://host:port without TLS
	PrivateLine bool            `yaml:"private_line"` // smpp:// runs over a leased line or a tunnel
	CA          string          `yaml:"ca"`           // PEM of the carrier's own authority; empty: those of the system
	SystemID    string          `yaml:"system_id"`
	Password    channels.Secret `yaml:"password"`
	SystemType  string          `yaml:"system_type"`
	From        string          `yaml:"from"`     // a registered name, a number or a short code
	FromTON     *byte           `yaml:"from_ton"` // as the carrier asks; left out: told by the form of from
	FromNPI     *byte           `yaml:"from_npi"`
	Window      int             `yaml:"window"`  // messages that wait for an answer at once
	Timeout     string          `yaml:"timeout"` // of a whole call, as "10s"
	Enquire     string          `yaml:"enquire"` // between enquire_link of an idle connection, as "30s"

	host             string // host and port
	tls              *tls.Config
	timeout, enquire time.Duration
	ton, npi         byte
}

var (
	numberForm = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	shortForm  = regexp.MustCompile(`^[0-9]{3,8}$`)
	nameForm   = regexp.MustCompile(`^[0-9A-Za-z ._-]{0,10}[A-Za-z][0-9A-Za-z ._-]{0,10}$`)
	wordForm   = regexp.MustCompile(`^[!-~]*$`)
)

// Octets a field holds (SMPP 3.4, 5.2.1 to 5.2.3). Centres take longer
// passwords than the eight octets of the standard.
const (
	maxSystemID   = 15
	maxPassword   = 64
	maxSystemType = 12
	maxName       = 11
)

// Type of number and numbering plan (SMPP 3.4, 5.2.5 and 5.2.6).
const (
	tonInternational, tonNetwork, tonAlphanumeric = 1, 3, 5
	npiUnknown, npiISDN                           = 0, 1
)

// check fills in what was left out and names every field that is wrong.
func (c *config) check() error {
	var errs []error
	field := func(name, rule string) { errs = append(errs, fmt.Errorf("%s: %s", name, rule)) }
	word := func(s string, least, most int) bool {
		return len(s) >= least && len(s) <= most && wordForm.MatchString(s)
	}
	if !word(c.SystemID, 1, maxSystemID) {
		field("system_id", "1 to 15 characters without spaces")
	}
	if !word(c.Password.Reveal(), 1, maxPassword) {
		field("password", "1 to 64 characters without spaces")
	}
	if !word(c.SystemType, 0, maxSystemType) {
		field("system_type", "at most 12 characters without spaces")
	}
	if !c.source() {
		field("from", "a number with its country code, a short code of 3 to 8 digits, or a name of at most 11 characters")
	}
	if c.Window == 0 {
		c.Window = defaultWindow
	}
	if c.Window < 1 || c.Window > maxWindow {
		field("window", fmt.Sprintf("1 to %d", maxWindow))
	}
	var ok bool
	if c.timeout, ok = span(c.Timeout, defaultTimeout, 100*time.Millisecond, maxTimeout); !ok {
		field("timeout", `"100ms" to "1m"`)
	}
	if c.enquire, ok = span(c.Enquire, defaultEnquire, 100*time.Millisecond, maxEnquire); !ok {
		field("enquire", `"100ms" to "5m"`)
	}
	return errors.Join(errs...)
}

// source tells the type of the sender's address by its form.
func (c *config) source() bool {
	switch {
	case numberForm.MatchString(c.From):
		c.ton, c.npi = tonInternational, npiISDN
	case shortForm.MatchString(c.From):
		c.ton, c.npi = tonNetwork, npiUnknown
	case nameForm.MatchString(c.From) && len(c.From) <= maxName && strings.TrimSpace(c.From) == c.From:
		c.ton, c.npi = tonAlphanumeric, npiUnknown
	default:
		return false
	}
	if c.FromTON != nil {
		c.ton = *c.FromTON
	}
	if c.FromNPI != nil {
		c.npi = *c.FromNPI
	}
	return true
}

func span(text string, otherwise, least, most time.Duration) (time.Duration, bool) {
	if text == "" {
		return otherwise, true
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= least && d <= most
}

// reaches reads the address and tells whether it leads to real people:
// everywhere but at the admitted stand-in.
func (c *config) reaches(admitted string) (live bool, err error) {
	u, err := bareAddress(c.Address)
	if err != nil {
		return false, fmt.Errorf("address: %w", err)
	}
	c.host = u.Host
	if u.Scheme == "smpps" {
		if err := c.trust(u.Hostname()); err != nil {
			return false, err
		}
	} else if c.CA != "" {
		return false, errors.New("ca: is for smpps:// alone")
	}
	if admitted != "" {
		if a, err := bareAddress(admitted); err == nil && *a == *u {
			return false, nil
		}
	}
	if isLocal(u.Hostname()) {
		return false, errors.New("address: loopback is for a stand-in in a drill or demo, at its configured origin only")
	}
	if u.Scheme == "smpp" && !c.PrivateLine {
		return false, errors.New("address: smpp:// sends password, numbers and texts in the clear: use smpps://, or say private_line: true when a leased line or a tunnel leads there")
	}
	return true, nil
}

func (c *config) trust(name string) error {
	c.tls = &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	if c.CA == "" {
		return nil
	}
	c.tls.RootCAs = x509.NewCertPool()
	if !c.tls.RootCAs.AppendCertsFromPEM([]byte(c.CA)) {
		return errors.New("ca: holds no certificate in PEM")
	}
	return nil
}

// bareAddress reads a scheme, a host and a port alone.
func bareAddress(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("is not an address")
	case u.Scheme != "smpp" && u.Scheme != "smpps":
		return nil, errors.New("must begin with smpps:// or smpp://")
	case u.Hostname() == "" || u.Port() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "":
		return nil, errors.New("must be a scheme, a host and a port alone")
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, nil
}

func isLocal(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}
