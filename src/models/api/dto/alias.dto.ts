import { ApiProperty } from '@nestjs/swagger';
import { IsInt, Max, Min } from 'class-validator';

/** Where an alias shall point. */
export class AliasRequest {
  @ApiProperty({ example: 1 })
  @IsInt()
  @Min(1)
  @Max(999_999_999)
  readonly version!: number;
}
