import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, Req, Res } from '@nestjs/common';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

const exporter = new PrometheusExporter({ preventServerStart: true });
// Rookery records through OpenTelemetry's API: with a provider there is something to read.
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));

/** What Prometheus reads. */
@Controller('metrics')
export class MetricsController {
  @Get()
  read(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    exporter.getMetricsRequestHandler(request, response);
  }
}
