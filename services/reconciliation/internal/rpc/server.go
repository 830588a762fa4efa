// Package rpc is Reconciliation on the wire: protobuf to domain and back, and
// who may call.
package rpc

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/run"
	"makegood.example/services/reconciliation/internal/service"
)

// Server implements the generated server.
type Server struct {
	pb.UnimplementedReconciliationServiceServer
	Service *service.Service
}

// StartRun implements reconciliation.v1.
func (s *Server) StartRun(ctx context.Context, req *pb.StartRunRequest) (*pb.Run, error) {
	a, err := runOf(ctx, req.GetDryRun(), req)
	if err != nil {
		return nil, err
	}
	r, err := s.Service.StartRun(ctx, a)
	if err != nil {
		return nil, err
	}
	return toRun(r), nil
}

// runOf is the wish for a run: nobody is asked why.
func runOf(ctx context.Context, dry bool, req proto.Message) (desk.Act, error) {
	a, err := oldActOf(ctx, nil, noneGiven, req)
	a.DryRun = dry
	return a, err
}

// WatchRun implements reconciliation.v1.
func (s *Server) WatchRun(req *pb.WatchRunRequest, stream grpc.ServerStreamingServer[pb.Run]) error {
	a, err := runOf(stream.Context(), req.GetDryRun(), req)
	if err != nil {
		return err
	}
	return s.Service.WatchRun(stream.Context(), a, func(r run.Run) error { return stream.Send(toRun(r)) })
}

// ListRuns implements reconciliation.v1.
func (s *Server) ListRuns(ctx context.Context, r *pb.ListRunsRequest) (*pb.ListRunsResponse, error) {
	before, err := parseRunsToken(r.GetPageToken())
	if err != nil {
		return nil, err
	}
	// One more than asked for tells whether there is a next page.
	size := pageSize(r.GetPageSize())
	runs, err := s.Service.ListRuns(ctx, before, size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListRunsResponse{}
	if len(runs) > size {
		runs = runs[:size]
		out.NextPageToken = runsToken(runs[size-1].ID)
	}
	for _, r := range runs {
		out.Runs = append(out.Runs, toRun(r))
	}
	return out, nil
}

// OpenCase implements reconciliation.v1.
func (s *Server) OpenCase(ctx context.Context, r *pb.OpenCaseRequest) (*pb.Case, error) {
	c, err := s.Service.OpenCase(ctx, cases.Kind(r.GetKind().String()), r.GetSubject(), r.GetSummary())
	if err != nil {
		return nil, err
	}
	return toCase(c), nil
}

// ListCases implements reconciliation.v1.
func (s *Server) ListCases(ctx context.Context, r *pb.ListCasesRequest) (*pb.ListCasesResponse, error) {
	after, err := parseCasesToken(r.GetPageToken())
	if err != nil {
		return nil, err
	}
	var state cases.State // all
	if r.GetState() != pb.Case_STATE_UNSPECIFIED {
		state = cases.State(r.GetState().String())
	}
	size := pageSize(r.GetPageSize())
	list, err := s.Service.ListCases(ctx, state, r.GetIncludeSnoozed(), after, size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListCasesResponse{}
	if len(list) > size {
		list = list[:size]
		out.NextPageToken = casesToken(list[size-1].Position())
	}
	for _, c := range list {
		out.Cases = append(out.Cases, toCase(c))
	}
	return out, nil
}

// The domain's words for kinds, states and statuses are the contract's.

func toRun(r run.Run) *pb.Run {
	return &pb.Run{
		Id: r.ID, CutShort: r.CutShort(), StartedAt: timestamppb.New(r.StartedAt), FinishedAt: toTimestamp(r.FinishedAt),
		Status:     pb.Run_Status(pb.Run_Status_value[string(r.Status)]),
		StuckFound: int32(r.StuckFound), StuckRecovered: int32(r.StuckRecovered),
		ChargesChecked: int32(r.ChargesChecked), OrphansFound: int32(r.OrphansFound), OrphansRecovered: int32(r.OrphansRecovered),
		Errors: int32(r.Errors), Details: r.Details, DryRun: r.DryRun, Dispositions: r.Dispositions,
		EventsAdded: int32(r.EventsAdded), ConfirmationsSent: int32(r.ConfirmationsSent), DurationMs: durationMS(r),
	}
}

func durationMS(r run.Run) int64 {
	if r.FinishedAt == nil {
		return 0
	}
	return r.FinishedAt.Sub(r.StartedAt).Milliseconds()
}

func toTimestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}
