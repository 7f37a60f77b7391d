// Package config loads the configuration file, validates it whole and hands it
// over whole. Sections of drivers and of the renderer stay raw: their owners
// decode them with Section.Decode. It must never import another room.
package config

import (
	"time"

	"github.com/goccy/go-yaml/ast"

	"loa/channels"
)

// Deployment says how much of the world this gateway may reach.
type Deployment string

// The deployments. Only a live one may hold a provider that reaches people.
const (
	Live  Deployment = "live"
	Drill Deployment = "drill"
	Demo  Deployment = "demo"
)

// Config is the whole configuration.
type Config struct {
	Deployment Deployment `yaml:"deployment"`
	Data       string     `yaml:"data"`   // folder of the ledger, the lock and the socket
	Listen     string     `yaml:"listen"` // host:port
	Public     string     `yaml:"public"` // base URL people and providers reach us at
	Ledger     Ledger     `yaml:"ledger"`
	Redis      Redis      `yaml:"redis"`
	// Witness is a file outside Data that knows how far the ledger has come, so
	// that an old copy of it is noticed. A live deployment without Redis needs it.
	Witness    string    `yaml:"witness"`
	Keys       Keys      `yaml:"keys"`
	Agency     Agency    `yaml:"agency"`
	Boundaries string    `yaml:"boundaries"` // GeoJSON imported by "loa areas import"; empty: none
	Log        Log       `yaml:"log"`
	Delivery   Delivery  `yaml:"delivery"`
	SMS        Section   `yaml:"sms"` // registered senders and templates, decoded by the renderer
	Channels   []Channel `yaml:"channels"`
	Watch      Watch     `yaml:"watch"`

	// Warnings are faults that a live deployment would not start with, each with
	// its place.
	Warnings []string `yaml:"-"`

	where func(key string) string // set by Load, like body
	body  ast.Node
}

// Where is "file:line:column: " of a key ("channels[0].settings"), for faults
// that show only when a section's owner reads it; empty if there is no file.
func (c *Config) Where(key string) string {
	if c.where == nil {
		return ""
	}
	return c.where(key) + ": "
}

// WhereNamed is Where of the key below block that the fault speaks of, or of
// the block itself.
func (c *Config) WhereNamed(block string, fault error) string {
	if c.where == nil {
		return ""
	}
	return c.Where(named(c.body, block, fault.Error()))
}

// Ledger chooses the database: SQLite in the data folder unless Postgres is set.
type Ledger struct {
	Postgres channels.Secret `yaml:"postgres"` // connection string
}

// Redis is the conveyor belt. None means direct mode for good; Embedded is only
// possible without a configuration file.
type Redis struct {
	None     bool            `yaml:"-"`
	Embedded bool            `yaml:"-"`
	Addr     string          `yaml:"addr"` // host:port of a standalone server
	Sentinel Sentinel        `yaml:"sentinel"`
	Username string          `yaml:"username"`
	Password channels.Secret `yaml:"password"`
	DB       int             `yaml:"db"`
	TLS      bool            `yaml:"tls"`
}

// Sentinel names a monitored master and where its sentinels listen.
type Sentinel struct {
	Master   string          `yaml:"master"`
	Addrs    []string        `yaml:"addrs"`
	Password channels.Secret `yaml:"password"`
}

// Keys holds the one secret all others are derived from.
type Keys struct {
	// Master is 32 random bytes in base64. Required in a live deployment; in
	// drill and demo a key is made in the data folder when there is none.
	Master channels.Secret `yaml:"master"`
}

// Agency is who speaks: the registered short name in messages, the full name
// elsewhere, and the CAP sender.
type Agency struct {
	Sender  string `yaml:"sender"` // CAP sender, domain based
	Name    string `yaml:"name"`
	NameEN  string `yaml:"name_en"`
	Short   string `yaml:"short"`          // at most 20 characters, as registered with the carriers
	Plain   string `yaml:"short_unmarked"` // empty: short without its marks
	ShortEN string `yaml:"short_en"`       // at most 25 characters
	Contact string `yaml:"contact"`
}

// Log is how the log is written.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // json, text
}

// Delivery holds the policies of the send engine.
type Delivery struct {
	ResendAfter time.Duration `yaml:"resend_after"` // wait after an ambiguous answer; 0: one minute
	Nodes       int           `yaml:"nodes"`        // gateways that share the ledger: without Redis each takes its part of per_second; 0: 1
	RetryAfter  time.Duration `yaml:"retry_after"`  // wait after a report that a phone could not be reached; 0: ten minutes
}

// Channel is one configured driver.
type Channel struct {
	Driver    string `yaml:"driver"`
	Origin    string `yaml:"origin"`     // the one http or loopback provider origin admitted in drill and demo
	Workers   int    `yaml:"workers"`    // 0: default of the medium
	Window    int    `yaml:"window"`     // sends in flight per worker, at most 256; 0: default of the medium
	PerSecond int    `yaml:"per_second"` // 0: unlimited
	// Several SMS drivers are several ways of one channel. Prefixes are of the
	// numbers ("+8496") that this one is preferred for; none: of no numbers more
	// than of others. Among equals the lower cost goes first, then the order here.
	Prefixes []string `yaml:"prefixes"`
	Cost     int      `yaml:"cost"`     // of a part of a message, in any unit that all share
	Settings Section  `yaml:"settings"` // the driver's own
}

// Default is what "loa serve" runs on without a configuration file: everything
// embedded, nothing that reaches people.
func Default() *Config {
	return &Config{
		Deployment: Drill,
		Data:       "./data",
		Listen:     "127.0.0.1:8080",
		Public:     "http://127.0.0.1:8080",
		Redis:      Redis{Embedded: true},
		Agency:     defaultAgency(),
		Log:        Log{Level: "info", Format: "json"},
		Channels:   []Channel{{Driver: "hub"}},
	}
}

func defaultAgency() Agency {
	return Agency{
		Sender:  "loa.invalid",
		Name:    "Ban Chỉ huy Phòng thủ dân sự",
		NameEN:  "Civil Defence Command",
		Short:   "BCH PTDS",
		ShortEN: "Civil Defence",
	}
}
