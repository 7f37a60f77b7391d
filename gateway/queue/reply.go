package queue

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// isRedis reports whether the server itself answered with an error.
func isRedis(err error) bool {
	var e redis.Error
	return errors.As(err, &e) && !errors.Is(err, redis.Nil)
}

func hasPrefix(err error, prefix string) bool {
	return err != nil && isRedis(err) && redis.HasErrorPrefix(err, prefix)
}

// infoField finds "field:value" in an INFO reply.
func infoField(text, field string) (string, bool) {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && k == field {
			return v, true
		}
	}
	return "", false
}
