import { fileURLToPath } from 'node:url';
import { Injectable, Logger } from '@nestjs/common';
import { GrpcServiceClient } from '@rookery/microservices/grpc';
import { firstValueFrom, type Observable } from 'rxjs';

const REVIEWS = {
  package: 'reviews',
  protoPath: fileURLToPath(new URL('../../reviews/reviews.proto', import.meta.url)),
  service: 'Reviews',
  timeout: '2s',
} as const;

interface ReviewsClient {
  rate(request: { books: readonly number[] }): Observable<{
    ratings?: readonly { book: number; stars: number; count: number }[];
    answeredBy: string;
  }>;
}

export interface Rated {
  /** `4.2 of 5 (37 reviews)`, by book. */
  readonly ratings: ReadonlyMap<number, string>;
  /** The instance of reviews; undefined: none has answered. */
  readonly ratedBy: string | undefined;
}

/** What readers think of books, from the service `reviews`, over gRPC. */
@Injectable()
export class Ratings {
  private readonly logger = new Logger(Ratings.name);

  constructor(@GrpcServiceClient('reviews', REVIEWS) private readonly reviews: ReviewsClient) {}

  /** A shop sells without ratings, too: when there are none, offers have none. */
  async of(books: readonly number[]): Promise<Rated> {
    try {
      const { ratings = [], answeredBy } = await firstValueFrom(this.reviews.rate({ books }));
      const texts = ratings.map(
        ({ book, stars, count }) => [book, `${stars.toFixed(1)} of 5 (${count} reviews)`] as const,
      );
      return { ratings: new Map(texts), ratedBy: answeredBy };
    } catch (error) {
      this.logger.warn(`no ratings: ${error instanceof Error ? error.message : String(error)}`);
      return { ratings: new Map(), ratedBy: undefined };
    }
  }
}
