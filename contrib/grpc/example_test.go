package lkgrpc_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	lkgrpc "github.com/lockkeeper/lockkeeper/contrib/grpc"
	"github.com/lockkeeper/lockkeeper/manager"
)

func Example() {
	ctx := context.Background()
	locks, err := manager.New(memory.New()) // a store for many machines: backends/redis
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = locks.Close(ctx) }()
	turns, err := lkgrpc.Unary(func(_ context.Context, _ string, request any) (manager.Claim, bool) {
		check, ok := request.(*healthpb.HealthCheckRequest)
		return locks.Lock("check/" + check.GetService()), ok
	}, lkgrpc.WithWait(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(turns))
	services := health.NewServer()
	services.SetServingStatus("bank", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(server, services)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = server.Serve(l) }()
	defer server.Stop()

	client, err := grpc.NewClient(l.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	call := func() {
		check := &healthpb.HealthCheckRequest{Service: "bank"}
		answer, err := healthpb.NewHealthClient(client).Check(ctx, check)
		fmt.Println(answer.GetStatus(), status.Code(err))
	}
	call()
	err = locks.Lock("check/bank").Do(ctx, func(context.Context) error {
		call()
		return nil
	})
	fmt.Println(err)
	// Output:
	// SERVING OK
	// UNKNOWN Aborted
	// <nil>
}
