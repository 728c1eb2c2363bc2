/** The clients that only the studio needs; they are loaded with it. */

import { createClient } from '@connectrpc/connect'
import { ManagerService } from '../gen/spotilike/catalog/v1/manager_service_pb'
import { UploadService } from '../gen/spotilike/catalog/v1/upload_service_pb'
import { JobService } from '../gen/spotilike/processing/v1/job_service_pb'
import { transport } from '.'

export const managers = createClient(ManagerService, transport)
export const uploads = createClient(UploadService, transport)
export const jobs = createClient(JobService, transport)
