package sms

import (
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
	twilioOrigin       = "https://api.twilio.com"
	defaultConcurrency = 16
	maxConcurrency     = 256
	defaultTimeout     = 10 * time.Second
	maxTimeout         = time.Minute
)

// config is the driver's section of the configuration.
type config struct {
	AccountSID          string          `yaml:"account_sid"`
	AuthToken           channels.Secret `yaml:"auth_token"`
	AuthTokenPrevious   channels.Secret `yaml:"auth_token_previous"` // still accepted on callbacks while tokens are changed
	From                string          `yaml:"from"`                // a number, a short code or a registered name
	MessagingServiceSID string          `yaml:"messaging_service_sid"`
	BaseURL             string          `yaml:"base_url"`    // of another server that speaks the same API
	Concurrency         int             `yaml:"concurrency"` // calls at once, and connections kept
	Timeout             string          `yaml:"timeout"`     // of a whole call, as "10s"

	timeout time.Duration
}

var (
	accountForm = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)
	serviceForm = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
	tokenForm   = regexp.MustCompile(`^[0-9A-Za-z]{16,64}$`)
	numberForm  = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	shortForm   = regexp.MustCompile(`^[0-9]{3,8}$`)
	nameForm    = regexp.MustCompile(`^[0-9A-Za-z ]{0,10}[A-Za-z][0-9A-Za-z ]{0,10}$`)
)

const maxName = 11 // characters of a registered sender name

// check fills in what was left out and names every field that is wrong.
func (c *config) check() error {
	if c.BaseURL == "" {
		c.BaseURL = twilioOrigin
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	c.timeout = defaultTimeout
	if c.Timeout != "" {
		c.timeout, _ = time.ParseDuration(c.Timeout) // zero is refused below
	}
	var errs []error
	wrong := func(bad bool, field, rule string) {
		if bad {
			errs = append(errs, fmt.Errorf("%s: %s", field, rule))
		}
	}
	wrong(!accountForm.MatchString(c.AccountSID), "account_sid", "must be AC and 32 hexadecimal digits")
	wrong(!tokenForm.MatchString(c.AuthToken.Reveal()), "auth_token", "must be 16 to 64 letters and digits")
	wrong(c.AuthTokenPrevious != "" && !tokenForm.MatchString(c.AuthTokenPrevious.Reveal()),
		"auth_token_previous", "must be 16 to 64 letters and digits")
	wrong((c.From == "") == (c.MessagingServiceSID == ""), "from", "set either this or messaging_service_sid")
	wrong(c.From != "" && !senderForm(c.From), "from", "must be a number with its country code, a short code, or a name of up to 11 characters")
	wrong(c.MessagingServiceSID != "" && !serviceForm.MatchString(c.MessagingServiceSID),
		"messaging_service_sid", "must be MG and 32 hexadecimal digits")
	wrong(c.Concurrency < 1 || c.Concurrency > maxConcurrency, "concurrency", "must be 1 to 256")
	wrong(c.timeout < time.Second || c.timeout > maxTimeout, "timeout", "must be 1s to 1m")
	return errors.Join(errs...)
}

func senderForm(s string) bool {
	return numberForm.MatchString(s) || shortForm.MatchString(s) || len(s) <= maxName && nameForm.MatchString(s)
}

// provider reads the base URL, and reports whether messages sent there reach
// real people: everywhere but at the admitted stand-in.
func (c *config) provider(admitted string) (base *url.URL, live bool, err error) {
	base, err = bareURL(c.BaseURL)
	if err != nil {
		return nil, false, fmt.Errorf("base_url: %w", err)
	}
	if isTwilio(base) {
		if base.Scheme != "https" {
			return nil, false, errors.New("base_url: must be https")
		}
		return base, true, nil
	}
	if admitted != "" {
		if a, err := bareURL(admitted); err == nil && origin(a) == origin(base) {
			return base, false, nil
		}
	}
	if base.Scheme != "https" || isLocal(base) {
		return nil, false, errors.New("base_url: http and loopback are for a stand-in in a drill or demo, at its configured origin only")
	}
	return base, true, nil
}

// public checks the base URL that callbacks are built on. A carrier on the
// internet refuses messages whose callback it cannot reach.
func public(raw string, live bool) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", errors.New("public URL of the gateway: must be an http or https URL without user, query and fragment")
	}
	if live && (u.Scheme != "https" || isLocal(u)) {
		return "", errors.New("public URL of the gateway: must be https and not loopback, or the carrier refuses it for callbacks")
	}
	return strings.TrimRight(raw, "/"), nil
}

// bareURL reads a URL of scheme, host and port alone.
func bareURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("must be http or https")
	case u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return nil, errors.New("must be a scheme, a host and a port alone")
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, nil
}

func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port)
}

func isTwilio(u *url.URL) bool {
	host := strings.TrimSuffix(u.Hostname(), ".")
	return host == "twilio.com" || strings.HasSuffix(host, ".twilio.com")
}

func isLocal(u *url.URL) bool {
	host := strings.TrimSuffix(u.Hostname(), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}
