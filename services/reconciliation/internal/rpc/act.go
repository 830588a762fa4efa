package rpc

import (
	"context"
	"crypto/sha256"
	"path"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/service"
)

// actOf is the wish of the person who calls. req is the whole request: the same key
// must ask the same, but for whether it is a dry run.
func actOf(ctx context.Context, a *pb.Act, req proto.Message) (desk.Act, error) {
	id := access.From(ctx)
	method, _ := grpc.Method(ctx)
	act := desk.Act{Key: uuid.MustParse(a.GetIdempotencyKey()), Actor: id.Actor, Role: id.Role, Action: path.Base(method), Reason: a.GetReason(), DryRun: a.GetDryRun()}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		return desk.Act{}, err
	}
	sum := sha256.Sum256(append([]byte(act.Action+"\n"), raw...))
	act.RequestHash = sum[:]
	return act, nil
}

// oldActOf is actOf for the paths on which a key was not asked for: without an act it
// is minted here, and the reason is what the request says.
func oldActOf(ctx context.Context, a *pb.Act, reason string, req proto.Message) (desk.Act, error) {
	if a == nil {
		a = &pb.Act{IdempotencyKey: uuid.NewString(), Reason: reason}
	}
	return actOf(ctx, a, req)
}

// errNoReason: without an act the request itself must say why.
var errNoReason = apperr.Invalid("reason", "say why")

func actionReply(a service.Acted, err error) (*pb.ActionResponse, error) {
	if err != nil {
		return nil, err
	}
	out := &pb.ActionResponse{Order: a.Order, Event: a.Event, Charging: a.Charging, Incident: a.Incident, Done: a.Done, AuditId: a.AuditID, Steps: toSteps(a.Steps)}
	if a.Case != nil {
		out.Case = toCase(*a.Case)
	}
	return out, nil
}

func toSteps(steps []desk.Step) (out []*pb.Step) {
	for _, s := range steps {
		out = append(out, &pb.Step{What: s.What, Outcome: pb.Step_Outcome(pb.Step_Outcome_value[string(s.Outcome)]), Note: s.Note})
	}
	return out
}
