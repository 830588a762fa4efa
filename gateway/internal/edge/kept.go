package edge

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
)

// mayBeKept lets the SaaS's backend keep an answer about access for a second, which is
// as long as a change may go unseen, and then ask whether it is still so. Everything
// else that is answered stays as Wrap has it: not to be kept at all.
func mayBeKept(ctx context.Context, w http.ResponseWriter, msg proto.Message) error {
	access, ok := msg.(*provisioningv1.CheckAccessResponse)
	if !ok {
		return nil
	}
	said, err := proto.MarshalOptions{Deterministic: true}.Marshal(access)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(said)
	// Weak: two releases may write the same answer with other white space.
	etag := `W/"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	h := w.Header()
	h.Set("Cache-Control", "private, max-age=1, must-revalidate")
	h.Add("Vary", "Authorization")
	h.Set("Etag", etag)
	if has(infoOf(ctx).ifNoneMatch, etag) {
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified) // the body that follows is not sent
	}
	return nil
}

// has says whether an If-None-Match names the answer, compared weakly as it asks for.
func has(ifNoneMatch, etag string) bool {
	for one := range strings.SplitSeq(ifNoneMatch, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}
