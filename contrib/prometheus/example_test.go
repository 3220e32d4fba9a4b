package lkprometheus_test

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	lkprometheus "github.com/lockkeeper/lockkeeper/contrib/prometheus"
	"github.com/lockkeeper/lockkeeper/manager"
)

func Example() {
	ctx := context.Background()
	locks, err := manager.New(memory.New(), manager.WithHistory(manager.OnlyNames("deploy")))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = locks.Close(ctx) }()
	c, err := lkprometheus.New(locks)
	if err != nil {
		fmt.Println(err)
		return
	}
	registry := prometheus.NewRegistry() // or prometheus.MustRegister(c)
	registry.MustRegister(c)

	err = locks.Lock("deploy").Do(ctx, func(context.Context) error {
		families, err := registry.Gather() // a server does so: promhttp.HandlerFor(registry, …)
		for _, f := range families {
			if f.GetName() == "lockkeeper_held" {
				for _, m := range f.GetMetric() {
					fmt.Printf("held %v under %q\n", m.GetGauge().GetValue(), m.GetLabel()[1].GetValue())
				}
			}
		}
		return err
	})
	fmt.Println(err)
	// Output:
	// held 0 under ""
	// held 1 under "deploy"
	// <nil>
}
