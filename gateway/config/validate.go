package config

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"loa/channels"
)

// validation gathers every fault of a file, each with the line of its key.
type validation struct {
	path   string
	body   ast.Node
	faults []error
}

func (v *validation) fault(key, format string, args ...any) {
	v.faults = append(v.faults, fmt.Errorf("%s: %s: %s", v.where(key), key, fmt.Sprintf(format, args...)))
}

// where is "file:line:column" of a key, or of what holds it, or the file alone.
func (v *validation) where(key string) string {
	at, _ := locate(v.body, key)
	return position(v.path, at)
}

func (v *validation) check(c *Config) {
	if !slices.Contains([]Deployment{Live, Drill, Demo}, c.Deployment) {
		v.fault("deployment", "one of live, drill, demo is required")
	}
	if c.Data == "" {
		v.fault("data", "a folder is required")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		v.fault("listen", "host:port is required")
	}
	v.public(c)
	v.redis(c)
	v.witness(c)
	if c.Ledger.Postgres != "" && !strings.HasPrefix(c.Ledger.Postgres.Reveal(), "postgres://") {
		v.fault("ledger.postgres", "a postgres:// connection string is required")
	}
	// Elsewhere a key is made in the data folder at the first start.
	if err := CheckMaster(c.Keys.Master); err != nil && (c.Keys.Master != "" || c.Deployment == Live) {
		v.fault("keys.master", "%s", err)
	}
	v.agency(c)
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		v.fault("log.level", "one of debug, info, warn, error is required")
	}
	if !slices.Contains([]string{"json", "text"}, c.Log.Format) {
		v.fault("log.format", "one of json, text is required")
	}
	if c.Delivery.ResendAfter < 0 {
		v.fault("delivery.resend_after", "must not be negative")
	}
	if c.Delivery.Nodes < 0 {
		v.fault("delivery.nodes", "must not be negative")
	}
	if c.Delivery.RetryAfter < 0 {
		v.fault("delivery.retry_after", "must not be negative")
	}
	v.channels(c)
	v.watch(c)
}

func (v *validation) public(c *Config) {
	u, err := url.Parse(c.Public)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.HasSuffix(c.Public, "/"):
		v.fault("public", "an absolute base URL without a trailing slash is required")
	case u.Scheme == "https":
	case u.Scheme != "http" || c.Deployment == Live || !isLoopback(u.Hostname()):
		v.fault("public", "https is required; http is admitted on loopback in drill and demo only")
	}
}

func (v *validation) redis(c *Config) {
	r := c.Redis
	if r.None {
		return
	}
	standalone, sentinel := r.Addr != "", r.Sentinel.Master != "" || len(r.Sentinel.Addrs) > 0
	switch {
	case standalone && sentinel:
		v.fault("redis", "addr and sentinel exclude each other: addr is one server, sentinel finds it")
	case !standalone && !sentinel:
		v.fault("redis", "either addr or sentinel is required, or the word none")
	case sentinel && (r.Sentinel.Master == "" || len(r.Sentinel.Addrs) == 0):
		v.fault("redis.sentinel", "master and addrs are required")
	}
	hosts := r.Sentinel.Addrs
	if standalone {
		hosts = []string{r.Addr}
	}
	for _, h := range hosts {
		host, _, err := net.SplitHostPort(h)
		if err != nil {
			v.fault("redis", "%q is not host:port", h)
			continue
		}
		if !isLoopback(host) && weak(r.Password) {
			v.fault("redis.password", "at least 16 characters, and no common word, are required off loopback")
			return
		}
	}
}

// witness asks for a place outside the data folder, which a backup of that
// folder does not bring back.
func (v *validation) witness(c *Config) {
	if c.Witness == "" {
		const rule = "a file outside data is required with redis: none: without it nobody notices that an old copy of the ledger was restored"
		switch {
		case !c.Redis.None:
		case c.Deployment == Live:
			v.faults = append(v.faults, fmt.Errorf("%s: witness: %s", v.where("redis"), rule))
		default:
			c.Warnings = append(c.Warnings, fmt.Sprintf("%s: witness: %s", v.where("redis"), rule))
		}
		return
	}
	data, err := filepath.Abs(c.Data)
	file, failed := filepath.Abs(c.Witness)
	if err != nil || failed != nil {
		v.fault("witness", "must be the name of a file")
		return
	}
	if in, err := filepath.Rel(data, file); err == nil && filepath.IsLocal(in) {
		v.fault("witness", "must lie outside data")
	}
}

func (v *validation) agency(c *Config) {
	a := c.Agency
	for _, f := range []struct{ key, value string }{
		{"sender", a.Sender}, {"name", a.Name}, {"name_en", a.NameEN}, {"short", a.Short}, {"short_en", a.ShortEN},
	} {
		if strings.TrimSpace(f.value) == "" {
			v.fault("agency."+f.key, "is required")
		}
	}
	if strings.ContainsAny(a.Sender, " ,<&\t\n") {
		v.fault("agency.sender", "no white space, comma, < or & (CAP 1.2, sender)")
	}
}

func (v *validation) channels(c *Config) {
	if len(c.Channels) == 0 {
		v.fault("channels", "at least one is required")
	}
	seen := map[string]bool{}
	for i, ch := range c.Channels {
		key := fmt.Sprintf("channels[%d]", i)
		switch {
		case ch.Driver == "":
			v.fault(key+".driver", "is required")
		case seen[ch.Driver]:
			v.fault(key+".driver", "%s is a channel already: each driver is configured once", ch.Driver)
		}
		seen[ch.Driver] = true
		if ch.Window < 0 || ch.Window > 256 {
			v.fault(key+".window", "0 to 256")
		}
		if ch.Workers < 0 || ch.Workers > 64 {
			v.fault(key+".workers", "0 to 64")
		}
		if ch.PerSecond < 0 {
			v.fault(key+".per_second", "must not be negative")
		}
		v.route(key, &ch)
		if ch.Origin != "" {
			v.origin(c, key+".origin", ch.Origin)
		}
	}
}

var prefixForm = regexp.MustCompile(`^\+[1-9][0-9]{0,6}$`)

func (v *validation) route(key string, ch *Channel) {
	for i, p := range ch.Prefixes {
		if !prefixForm.MatchString(p) || slices.Contains(ch.Prefixes[:i], p) {
			v.fault(fmt.Sprintf("%s.prefixes[%d]", key, i), "+ and one to seven digits of numbers, each once")
		}
	}
	if ch.Cost < 0 {
		v.fault(key+".cost", "must not be negative")
	}
}

func (v *validation) origin(c *Config, key, origin string) {
	u, err := url.Parse(origin)
	switch {
	case c.Deployment == Live:
		v.fault(key, "not admitted in a live deployment")
	case err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil:
		v.fault(key, "scheme://host:port is required, nothing more")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		v.fault(key, "http is admitted on loopback only")
	}
}

// CheckMaster says whether a master key is 32 bytes of base64 that look random.
func CheckMaster(s channels.Secret) error {
	raw, err := base64.StdEncoding.DecodeString(s.Reveal())
	if err != nil || len(raw) != 32 {
		return fmt.Errorf("32 random bytes in base64 are required (openssl rand -base64 32)")
	}
	distinct := map[byte]bool{}
	for _, b := range raw {
		distinct[b] = true
	}
	if len(distinct) < 16 {
		return fmt.Errorf("the key is not random (openssl rand -base64 32)")
	}
	return nil
}

var common = []string{"password", "changeme", "secret", "default", "admin", "redis", "123456"}

func weak(s channels.Secret) bool {
	low := strings.ToLower(s.Reveal())
	if len(low) < 16 {
		return true
	}
	return slices.ContainsFunc(common, func(w string) bool { return strings.HasPrefix(low, w) })
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
