// A gRPC server that others wrote, for tests: grpc-go's interop TestService. Its own
// interop/server has no reflection, health or port of the kernel's choice, hence this main.
//
// It prints the address that it listens on as one line on stdout.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
)

var (
	port     = flag.Int("port", 0, "port on 127.0.0.1; 0: any free one")
	unix     = flag.String("unix", "", "listen on this unix socket instead")
	cert     = flag.String("cert", "", "PEM certificate; with --key: TLS")
	key      = flag.String("key", "", "PEM private key")
	clientCA = flag.String("client-ca", "", "PEM certificates; clients must show a certificate signed by one of them")
	reflect  = flag.String("reflection", "both", "both, v1, v1alpha or none")
	healthy  = flag.String("health", "on", "on, off (no such service), or late (NOT_SERVING for two seconds)")
	untilEOF = flag.Bool("until-eof", false, "end when standard input ends, so that no server outlives a killed test")
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("interop: ")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	}

	opts := []grpc.ServerOption{grpc.UnaryInterceptor(compressUnary), grpc.StreamInterceptor(compressStream)}
	if *cert != "" {
		opts = append(opts, grpc.Creds(credentials.NewTLS(tlsConfig())))
	}
	server := grpc.NewServer(opts...)
	testpb.RegisterTestServiceServer(server, interop.NewTestServer())
	status := health.NewServer()
	status.SetServingStatus(testpb.TestService_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	status.SetServingStatus("down", healthpb.HealthCheckResponse_NOT_SERVING)
	switch *healthy {
	case "on":
	case "late":
		status.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
		time.AfterFunc(2*time.Second, func() { status.SetServingStatus("", healthpb.HealthCheckResponse_SERVING) })
	case "off":
		status = nil
	default:
		log.Fatalf("--health: unknown value %q", *healthy)
	}
	if status != nil {
		healthpb.RegisterHealthServer(server, status)
	}
	registerReflection(server)

	network, address := "tcp", fmt.Sprintf("127.0.0.1:%d", *port)
	if *unix != "" {
		network, address = "unix", *unix
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())

	if *untilEOF {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			server.Stop()
		}()
	}
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

// The TestService leaves response_compressed alone: the metadata "x-compress" names the encoding of
// the responses instead.
func compress(ctx context.Context) error {
	for _, name := range metadata.ValueFromIncomingContext(ctx, "x-compress") {
		if err := grpc.SetSendCompressor(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func compressUnary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := compress(ctx); err != nil {
		return nil, err
	}
	return next(ctx, request)
}

func compressStream(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := compress(stream.Context()); err != nil {
		return err
	}
	return next(service, stream)
}

func registerReflection(server *grpc.Server) {
	options := reflection.ServerOptions{Services: server}
	switch *reflect {
	case "both":
		reflection.Register(server)
	case "v1":
		reflectionv1.RegisterServerReflectionServer(server, reflection.NewServerV1(options))
	case "v1alpha":
		reflectionv1alpha.RegisterServerReflectionServer(server, reflection.NewServer(options))
	case "none":
	default:
		log.Fatalf("--reflection: unknown value %q", *reflect)
	}
}

func tlsConfig() *tls.Config {
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		log.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if *clientCA != "" {
		pem, err := os.ReadFile(*clientCA)
		if err != nil {
			log.Fatal(err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			log.Fatalf("%s: no certificate in it", *clientCA)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config
}
